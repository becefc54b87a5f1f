/** Statements that are marked are planned once a connection; others are not kept. */
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Database, openDatabase, prepared } from '../../../src/stores/database.ts';
import { type TestStack, testStack } from '../../support/stack.ts';

let stack: TestStack;
let database: Database;
beforeAll(async () => {
  stack = await testStack();
  database = openDatabase(stack.config({}).DATABASE_URL ?? '', { max: 1 });
});
afterAll(async () => {
  await database?.close();
  await stack?.close();
});

const kept = async (word: string) => {
  const { rows } = await database.pool.query<{ statement: string }>(
    'SELECT statement FROM pg_prepared_statements WHERE strpos(statement, $1) > 0',
    [word],
  );
  return rows.length;
};

test('a marked one is kept, however often it runs, in a transaction or not', async () => {
  const twice = async (n: number) =>
    (await sql<{ twice: number }>`${prepared} SELECT ${n}::int * 2 AS twice`.execute(database.db)).rows[0]?.twice;
  expect(await twice(2)).toBe(4);
  expect(await twice(3)).toBe(6);
  await database.db.transaction().execute((trx) => sql`${prepared} SELECT ${1}::int * 2 AS twice`.execute(trx));
  expect(await kept('* 2 AS twice')).toBe(1);
});

test('each variant of a marked one is one of its own', async () => {
  const read = (column: string) =>
    sql<Record<string, number>>`${prepared} SELECT 1 AS ${sql.ref(column)}, 'variants' AS word`.execute(database.db);
  expect((await read('a')).rows[0]).toMatchObject({ a: 1 });
  expect((await read('b')).rows[0]).toMatchObject({ b: 1 });
  expect(await kept("'variants' AS word")).toBe(2);
});

test('one without the mark is not, and one that fails can be run again', async () => {
  await sql`SELECT 'unmarked' AS word`.execute(database.db);
  expect(await kept("'unmarked' AS word")).toBe(0);
  const divide = (n: number) => sql<{ one: number }>`${prepared} SELECT 1 / ${n}::int AS one`.execute(database.db);
  await expect(divide(0)).rejects.toThrow('division by zero');
  expect((await divide(1)).rows[0]).toEqual({ one: 1 });
});
