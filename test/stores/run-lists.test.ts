/** Lists of runs and of what belongs to them: they look for what was granted only where something was. */
import { DummyDriver, Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely';
import { describe, expect, test } from 'vitest';
import { listApprovals } from '../../src/stores/approvals.ts';
import type { Db } from '../../src/stores/database.ts';
import { listNotifications } from '../../src/stores/notifications.ts';
import { listPipelineRuns, type RunGrants } from '../../src/stores/pipeline-runs.ts';

const asked: string[] = [];
const db: Db = new Kysely({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (of) => new PostgresIntrospector(of),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
  log: ({ query }) => void asked.push(query.sql),
});
const none: RunGrants = { runs: [], pipelines: [], workflows: [] };

describe.each([
  ['runs', listPipelineRuns],
  ['approvals', listApprovals],
  ['notifications', listNotifications],
])('the list of %s', (_, list) => {
  const statement = async (granted: RunGrants) => {
    await list(db, { owners: ['ana'], granted, limit: 50 });
    return asked.pop();
  };

  test('reads by its owner alone without a grant', async () => {
    expect(await statement(none)).toMatch(/ where "owner" in \(\$1\) order by /);
  });

  test.each(['runs', 'pipelines', 'workflows'] as const)('and what a grant of %s opens', async (kind) => {
    expect(await statement({ ...none, [kind]: ['one'] })).toMatch(
      /"owner" in \(\$1\) or run_id = ANY\(ARRAY\(SELECT run_id/,
    );
  });
});
