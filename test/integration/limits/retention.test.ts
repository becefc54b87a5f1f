/** Retention: what is too old goes in bounded batches, what is not stays, and the audit log tells of its own loss. */
import { randomUUID } from 'node:crypto';
import { MockActivityEnvironment } from '@temporalio/testing';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Swept, sweepStorage } from '../../../src/activities/maintenance/sweep.ts';
import type { Deps } from '../../../src/deps.ts';
import { pruneAudit } from '../../../src/stores/audit.ts';
import { parsePosition } from '../../../src/stores/event-position.ts';
import { findGap } from '../../../src/stores/events.ts';
import { openStand, type Stand } from '../api/stand.ts';

let stand: Stand;
const deletedPrefixes: string[] = [];
beforeAll(async () => {
  const objects = {
    sweepUnfinished: async () => 0,
    list: async function* () {},
    deletePrefix: async (prefix: string) => void deletedPrefixes.push(prefix),
  } as unknown as Deps['objects'];
  stand = await openStand(
    { objects },
    { AUDIT_RETENTION_DAYS: '100', EVENT_RETENTION_DAYS: '10', RETENTION_DAYS: '50' },
  );
});
afterAll(() => stand.close());

const sweep = () => new MockActivityEnvironment().run(() => sweepStorage(stand.deps)) as Promise<Swept>;

async function insertAudit(count: number, daysOld: number, principal: string): Promise<void> {
  await sql`INSERT INTO audit_log (at, principal_id, operation, outcome)
    SELECT now() - make_interval(days => ${daysOld}), ${principal}, 'test', 'ok' FROM generate_series(1, ${count})`.execute(
    stand.deps.db,
  );
}

async function insertEvents(count: number, daysOld: number): Promise<void> {
  await sql`INSERT INTO event_log (event_id, name, owner, data, created_at)
    SELECT gen_random_uuid(), 'file.uploaded', 'ada', '{}', now() - make_interval(days => ${daysOld})
    FROM generate_series(1, ${count})`.execute(stand.deps.db);
}

const auditOf = async (principal: string) =>
  Number(
    (
      await stand.deps.db
        .selectFrom('audit_log')
        .select((eb) => eb.fn.countAll().as('n'))
        .where('principal_id', '=', principal)
        .executeTakeFirstOrThrow()
    ).n,
  );
const notes = () =>
  stand.deps.db
    .selectFrom('audit_log')
    .selectAll()
    .where('operation', '=', 'audit.prune')
    .orderBy('audit_id')
    .execute();

describe('the sweep', () => {
  it('keeps each kind of row for its own time', async () => {
    await insertAudit(3, 101, 'old');
    await insertAudit(2, 99, 'young');
    await insertEvents(4, 11);
    await insertEvents(2, 9);
    await stand.deps.db
      .insertInto('query_cache')
      .values({ cache_key: randomUUID(), versions: '', response: '{}', created_at: new Date(Date.now() - 7_200_000) })
      .execute();
    const before = parsePosition('1-1');
    expect(await findGap(stand.deps.db, before)).toBeNull();
    const { rows } = await sweep();
    expect(rows).toBe(3 + 4 + 1);
    expect([await auditOf('old'), await auditOf('young')]).toEqual([0, 2]);
    const events = await stand.deps.db.selectFrom('event_log').select('created_at').execute();
    expect(events).toHaveLength(2);
    // Whoever comes back to before that is told.
    expect(await findGap(stand.deps.db, before)).not.toBeNull();
    const [note, ...others] = await notes();
    expect(others).toEqual([]);
    expect(note).toMatchObject({ principal_id: null, outcome: 'ok' });
    expect(note?.resource).toMatch(/^3 entries before \d{4}-/);
    expect((await sweep()).rows).toBe(0);
    expect(await notes()).toHaveLength(1);
  });

  it('takes more than a batch of events in one go', async () => {
    await insertEvents(25_000, 30);
    expect((await sweep()).rows).toBe(25_000);
  });
});

describe('tasks', () => {
  async function insertTask(task_id: string, daysOld: number, run_id: string | null = null, phase = 'closed') {
    const status = phase === 'closed' ? 'completed' : 'running';
    await sql`INSERT INTO tasks (task_id, owner, run_id, type, priority, timeout_seconds, retry_count, workflow_id,
        status, phase, completed_at)
      VALUES (${task_id}, 'ada', ${run_id}, 'output', 1, 60, 0, ${`${task_id}~2`}, ${status}, ${phase},
        now() - make_interval(days => ${daysOld}))`.execute(stand.deps.db);
    await sql`INSERT INTO task_attempts (task_id, attempt, executor, status) VALUES (${task_id}, 1, 'builtin', 'completed')`.execute(
      stand.deps.db,
    );
    await sql`INSERT INTO task_logs (task_id, attempt, level, message) VALUES (${task_id}, 1, 'info', 'x')`.execute(
      stand.deps.db,
    );
    await sql`INSERT INTO task_results (completion_id, task_id, attempt, result) VALUES (gen_random_uuid(), ${task_id}, 1, '{}')`.execute(
      stand.deps.db,
    );
  }
  const left = async () =>
    (await stand.deps.db.selectFrom('tasks').select('task_id').orderBy('task_id').execute()).map((row) => row.task_id);

  it('go after their time with all that they keep, those of a run with the run', async () => {
    await sql`INSERT INTO pipeline_runs (run_id, pipeline_id, version, owner, principal, workflow_id, status, completed_at)
      VALUES ('kept', 'p', 1, 'ada', '{}', 'run-kept', 'completed', now() - interval '10 days')`.execute(stand.deps.db);
    for (let count = 0; count < 101; count += 1) await insertTask(`task-old-${count}`, 51);
    await insertTask('task-young', 49);
    await insertTask('task-running', 51, null, 'running');
    await insertTask('task-of-run', 51, 'kept');
    await insertTask('task-of-gone', 51, 'gone');
    expect((await sweep()).rows).toBe(102);
    expect(await left()).toEqual(['task-of-run', 'task-running', 'task-young']);
    expect(deletedPrefixes).toHaveLength(102);
    expect(deletedPrefixes).toContain('runs/task-old-7/');
    const { rows } = await sql`SELECT DISTINCT task_id FROM task_logs`.execute(stand.deps.db);
    expect(rows).toHaveLength(3);
  });
});

describe('pruning the audit log', () => {
  it('works in batches and leaves one entry with the sum', async () => {
    await insertAudit(25, 400, 'many');
    const earlier = (await notes()).length;
    const before = new Date(Date.now() - 300 * 86_400_000);
    expect(await pruneAudit(stand.deps.db, before, 10)).toBe(25);
    expect(await auditOf('many')).toBe(0);
    expect(await notes()).toHaveLength(earlier + 1);
    const last = (await notes()).at(-1);
    expect(last?.resource).toBe(`25 entries before ${before.toISOString()}`);
    expect(await pruneAudit(stand.deps.db, before, 10)).toBe(0);
    expect((await notes()).at(-1)?.audit_id).toBe(last?.audit_id);
  });

  it('notes what went even when it is stopped in the middle', async () => {
    await insertAudit(20, 400, 'stopped');
    const before = new Date(Date.now() - 300 * 86_400_000);
    let batches = 0;
    const transaction = () => {
      batches += 1;
      if (batches > 1) throw new Error('killed');
      return stand.deps.db.transaction();
    };
    const db = { transaction } as unknown as Deps['db'];
    await expect(pruneAudit(db, before, 10)).rejects.toThrow('killed');
    expect(await auditOf('stopped')).toBe(10);
    expect((await notes()).at(-1)?.resource).toMatch(/^10 entries/);
  });
});
