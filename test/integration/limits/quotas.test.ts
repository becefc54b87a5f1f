/** Quotas by day against a real Postgres: exact under concurrency, given back by a rollback. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Database, openDatabase } from '../../../src/stores/database.ts';
import { pruneQuotas, readQuota, takeQuota } from '../../../src/stores/quotas.ts';
import { type TestStack, testStack } from '../../support/stack.ts';

let stack: TestStack;
let database: Database;
beforeAll(async () => {
  stack = await testStack();
  database = openDatabase(stack.databaseUrl, { max: 8 });
});
afterAll(async () => {
  await database.close();
  await stack.close();
});

const NOON = new Date('2031-03-05T12:00:00.000Z');
const take = (principal_id: string, limit: number, at = NOON, amount = 1) =>
  database.db.transaction().execute((trx) => takeQuota(trx, { principal_id, kind: 'tasks', limit, at, amount }));
const used = (principal_id: string, at = NOON) => readQuota(database.db, { principal_id, kind: 'tasks', at });

describe('a quota of a day', () => {
  it('is exact when everybody takes at once', async () => {
    const taken = await Promise.allSettled(Array.from({ length: 60 }, () => take('eager', 25)));
    expect(taken.filter(({ status }) => status === 'fulfilled')).toHaveLength(25);
    expect(await used('eager')).toBe(25);
  });

  it('says when the day ends, and begins anew in the next one', async () => {
    const evening = new Date('2031-03-05T23:59:30.500Z');
    await take('daily', 1, evening);
    await expect(take('daily', 1, evening)).rejects.toMatchObject({ code: 'quota_exceeded', retryAfterSeconds: 30 });
    await take('daily', 1, new Date('2031-03-06T00:00:00.000Z'));
    expect(await used('daily', evening)).toBe(1);
  });

  it('is given back when the transaction that took it is rolled back', async () => {
    const broken = database.db.transaction().execute(async (trx) => {
      await takeQuota(trx, { principal_id: 'rolled', kind: 'tasks', limit: 1, at: NOON });
      throw new Error('the submission failed');
    });
    await expect(broken).rejects.toThrow('the submission failed');
    await take('rolled', 1);
  });

  it('gives an amount whole or not at all', async () => {
    await expect(take('bulk', 10, NOON, 11)).rejects.toMatchObject({ code: 'quota_exceeded' });
    await take('bulk', 10, NOON, 7);
    await expect(take('bulk', 10, NOON, 4)).rejects.toMatchObject({ code: 'quota_exceeded' });
    await take('bulk', 10, NOON, 3);
    expect(await used('bulk')).toBe(10);
  });

  it('belongs to one caller, and 0 means no limit', async () => {
    await take('one', 1);
    await take('another', 1);
    for (let round = 0; round < 3; round += 1) await take('free', 0);
    expect(await used('free')).toBe(0);
  });

  it('is forgotten by day', async () => {
    await take('old', 5, new Date('2030-01-01T10:00:00.000Z'));
    expect(await pruneQuotas(database.db, new Date('2030-01-02T00:00:00.000Z'))).toBe(1);
    expect(await used('eager')).toBe(25);
  });
});
