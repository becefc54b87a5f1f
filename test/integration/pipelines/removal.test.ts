/** Taking a run out: nobody takes it up again while what it keeps goes. */
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Deps } from '../../../src/deps.ts';
import { removeRunForGood } from '../../../src/services/pipelines/remove.ts';
import { openStand, type Stand } from '../api/stand.ts';

let stand: Stand;
beforeAll(async () => {
  stand = await openStand();
});
afterAll(() => stand.close());

test('a retry cannot come between its objects and its rows', async () => {
  const { db } = stand.deps;
  await sql`INSERT INTO pipeline_runs (run_id, pipeline_id, version, owner, principal, workflow_id, status, completed_at)
    VALUES ('r', 'p', 1, 'ada', '{}', 'run-r', 'failed', now())`.execute(db);
  const looks: string[] = [];
  const objects = {
    deletePrefix: async (prefix: string) => {
      const retry = sql`SELECT run_id FROM pipeline_runs WHERE run_id = 'r' FOR UPDATE NOWAIT`.execute(db);
      looks.push(
        prefix,
        await retry.then(
          () => 'free',
          (error: { code: string }) => error.code,
        ),
      );
    },
  } as unknown as Deps['objects'];
  await removeRunForGood({ db, objects }, 'r');
  // 55P03: lock_not_available.
  expect(looks).toEqual(['runs/r/', '55P03']);
  expect((await sql`SELECT FROM pipeline_runs`.execute(db)).rows).toEqual([]);
  await removeRunForGood({ db, objects: { deletePrefix: async () => {} } as unknown as Deps['objects'] }, 'r');
});
