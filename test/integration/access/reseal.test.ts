/** A change of MASTER_KEY: every stored secret is brought over, whoever does it and however often. */
import { createHmac, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeConfig } from '../../../src/schema/config.ts';
import { resealSecrets } from '../../../src/services/access/reseal.ts';
import { open, seal } from '../../../src/services/access/seal.ts';
import { webhookKeys, webhookSecret } from '../../../src/services/notifications/secret.ts';
import { insertCredential } from '../../../src/stores/credentials.ts';
import { type Database, openDatabase } from '../../../src/stores/database.ts';
import { startApiProcess } from '../../support/api-process.ts';
import { type TestStack, testStack } from '../../support/stack.ts';

const [OLD, NEW, LOST] = ['aa', 'bb', 'cc'].map((byte) => byte.repeat(32)) as [string, string, string];
let stack: TestStack;
let database: Database;
beforeAll(async () => {
  stack = await testStack();
  database = openDatabase(stack.databaseUrl, { max: 6 });
});
afterAll(async () => {
  await database?.close();
  await stack?.close();
});

/** Stores secrets of a new owner under this key: `secret 0`, `secret 1`, … */
async function store(key: string, count: number): Promise<string> {
  const owner = `owner-${randomUUID()}`;
  for (let n = 0; n < count; n++) {
    const place = { owner, name: `c${n}` };
    const sealed = seal({ MASTER_KEY: key }, place, `secret ${n}`);
    await insertCredential(database.db, { ...place, kind: 'bearer', config: '{}', sealed });
  }
  return owner;
}

/** How many of the owner's secrets this key alone opens, each being what was stored. */
async function openedBy(key: string, owner: string): Promise<number> {
  const rows = await database.db.selectFrom('outbound_credentials').selectAll().where('owner', '=', owner).execute();
  const secrets = rows.flatMap((row) => {
    try {
      return [open({ MASTER_KEY: key }, row, row.sealed) === `secret ${row.name.slice(1)}`];
    } catch {
      return [];
    }
  });
  expect(secrets).not.toContain(false);
  return secrets.length;
}

const reseal = (config: { MASTER_KEY: string | undefined; MASTER_KEY_PREVIOUS?: string }) =>
  resealSecrets({ db: database.db, config });

it('seals anew what the old key sealed, once, and leaves alone what neither opens', async () => {
  const [owner, lost] = [await store(OLD, 230), await store(LOST, 3)];
  // Without the old key nothing can be done, and nothing is harmed.
  expect(await reseal({ MASTER_KEY: NEW })).toEqual({ resealed: 0, unopened: 233 });
  expect(await openedBy(OLD, owner)).toBe(230);
  const both = { MASTER_KEY: NEW, MASTER_KEY_PREVIOUS: OLD };
  const [one, two] = await Promise.all([reseal(both), reseal(both)]);
  expect(one.resealed + two.resealed).toBe(230);
  expect(await openedBy(NEW, owner)).toBe(230);
  expect(await openedBy(OLD, owner)).toBe(0);
  expect(await openedBy(LOST, lost)).toBe(3);
  expect(await reseal(both)).toEqual({ resealed: 0, unopened: 3 });
  expect(await reseal({ MASTER_KEY: undefined })).toEqual({ resealed: 0, unopened: 0 });
});

it('no key is shown among the settings', () => {
  const shown = describeConfig(stack.config({ MASTER_KEY: NEW, MASTER_KEY_PREVIOUS: OLD }));
  expect(shown.find(({ name }) => name === 'MASTER_KEY_PREVIOUS')?.value).toBe('********');
  expect(JSON.stringify(shown)).not.toMatch(/aaaaaaaa|bbbbbbbb/);
});

it('either key opens meanwhile, and webhooks are signed with both', async () => {
  const place = { owner: 'ada', name: 'crm' };
  const both = { MASTER_KEY: NEW, MASTER_KEY_PREVIOUS: OLD };
  for (const MASTER_KEY of [OLD, NEW]) expect(open(both, place, seal({ MASTER_KEY }, place, 'x'))).toBe('x');
  expect(() => open(both, place, seal({ MASTER_KEY: LOST }, place, 'x'))).toThrow('another MASTER_KEY');
  const keys = webhookKeys(both, 'ada');
  expect(keys.map((key) => `whsec_${key.toString('base64')}`)).toEqual([
    webhookSecret({ MASTER_KEY: NEW }, 'ada'),
    webhookSecret({ MASTER_KEY: OLD }, 'ada'),
  ]);
  expect(webhookSecret(both, 'ada')).toBe(webhookSecret({ MASTER_KEY: NEW }, 'ada'));
  const made = createHmac('sha256', Buffer.from(OLD, 'hex')).update('webhook\u0000ada').digest();
  expect(webhookKeys({ MASTER_KEY: OLD }, 'ada')).toEqual([made]);
});

it('is done by an API that starts with both', { timeout: 30_000 }, async () => {
  const owner = await store(OLD, 2);
  const api = await startApiProcess(stack, {
    MASTER_KEY: NEW,
    MASTER_KEY_PREVIOUS: OLD,
    API_KEY: 'the-admin-key-of-this-test-0123456789',
  });
  await api.end('SIGTERM');
  expect(await openedBy(NEW, owner)).toBe(2);
});
