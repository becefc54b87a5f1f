/** A database from before agents had owners' tasks alone, brought to the newest schema with what is in it. */
import { type Kysely, sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MIGRATIONS } from '../../../src/schema/migrations/index.ts';
import { type Database, openDatabase } from '../../../src/stores/database.ts';
import { migrate } from '../../../src/stores/migrate.ts';
import { admit } from '../../../src/stores/task-queue.ts';
import { type TestStack, testStack } from '../../support/stack.ts';

let stack: TestStack;
let database: Database;
beforeAll(async () => {
  stack = await testStack();
  database = openDatabase(stack.databaseUrl, { max: 2 });
});
afterAll(async () => {
  await database?.close();
  await stack?.close();
});

/** Empties the database and builds it anew, as it was before `name`. */
async function goBackBefore(name: string): Promise<void> {
  const { db } = database;
  await sql`DROP SCHEMA public CASCADE`.execute(db);
  await sql`CREATE SCHEMA public`.execute(db);
  await sql`CREATE TABLE migrations (name text PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())`.execute(db);
  for (const migration of MIGRATIONS.slice(
    0,
    MIGRATIONS.findIndex((one) => one.name === name),
  )) {
    await migration.up(db as unknown as Kysely<never>);
    await sql`INSERT INTO migrations (name) VALUES (${migration.name})`.execute(db);
  }
}

test('agents from before there was sharing go on serving everybody, and tasks that waited go on', async () => {
  const { db } = database;
  await goBackBefore('0009_agent_sharing');
  await sql`INSERT INTO agents (agent_id, owner, name, type, capabilities, endpoints)
    VALUES ('old', 'dev', 'old', 'worker', '{processing}', '{"task": "http://agent.test/"}')`.execute(db);
  await sql`INSERT INTO tasks (task_id, owner, type, priority, timeout_seconds, retry_count, executor, workflow_id)
    VALUES ('waits', 'ana', 'processing', 1, 60, 0, 'agent', 'waits')`.execute(db);
  expect((await migrate(stack.databaseUrl))[0]).toBe('0009_agent_sharing');
  const agents = await db.selectFrom('agents').select(['agent_id', 'shared']).execute();
  expect(agents).toEqual([{ agent_id: 'old', shared: true }]);
  const assigned = await db.transaction().execute((trx) => admit(trx, 5));
  expect(assigned).toEqual([{ task_id: 'waits', workflow_id: 'waits', attempt: 1 }]);
  const task = await db.selectFrom('tasks').select(['assigned_agent', 'needs_agent', 'stranded_at']).execute();
  expect(task).toEqual([{ assigned_agent: 'old', needs_agent: false, stranded_at: null }]);
});
