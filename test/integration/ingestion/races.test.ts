/** Moments that hardly ever come by themselves: an admission whose answer gets lost, a record rewritten while it is embedded. */
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeVectors } from '../../../src/activities/ingestion/write-vectors.ts';
import type { Deps } from '../../../src/deps.ts';
import { takeUpload } from '../../../src/services/files/upload.ts';
import type { Embedder, VectorIndex, VectorRow } from '../../../src/stores/contract.ts';
import { type Database, openDatabase } from '../../../src/stores/database.ts';
import { insertFile } from '../../../src/stores/files.ts';
import { uuidV5 } from '../../../src/stores/ids.ts';
import { folderStore } from '../../../src/stores/objects/folder.ts';
import { type TestStack, testStack } from '../../support/stack.ts';

let stack: TestStack;
let database: Database;

beforeAll(async () => {
  stack = await testStack();
  database = openDatabase(stack.databaseUrl, { max: 3 });
}, 120_000);
afterAll(async () => {
  await database?.close();
  await stack?.close();
});

test('an upload whose admission stands keeps its bytes although the start of its workflow broke', async () => {
  const objects = folderStore({ root: join(stack.dataDir, 'objects'), bucket: 'bucket' });
  const broken = { workflow: { start: () => Promise.reject(new Error('refused by the engine')) } };
  const deps = { ...database, objects, config: stack.config(), log: pino({ level: 'silent' }), temporal: broken };
  const upload = (text: string, source_type: 'slack' | 'gong') =>
    takeUpload(deps as unknown as Deps, {
      owner: 'ada',
      filename: 'a.json',
      body: (async function* () {
        yield Buffer.from(text);
      })(),
      idempotencyKey: null,
      fields: async () => ({ source_type, metadata: {} }),
    });
  await expect(upload('[{"type":"message","ts":"1735725600.000100","text":"x"}]', 'slack')).rejects.toThrow('refused');
  const rows = await database.db.selectFrom('file_imports').select(['file_id', 'object_key']).execute();
  expect(rows).toHaveLength(1);
  const keys: string[] = [];
  for await (const { key } of objects.list('')) keys.push(key);
  expect(keys).toEqual([rows[0]?.object_key]);
  // One that was never admitted leaves nothing.
  await expect(upload('<html>', 'gong')).rejects.toMatchObject({ code: 'wrong_type' });
  keys.length = 0;
  for await (const { key } of objects.list('')) keys.push(key);
  expect(keys).toEqual([rows[0]?.object_key]);
});

test('a record that another file rewrites while it is embedded gets a vector of its new text', async () => {
  const { db } = database;
  const target = { file_id: uuidV5('file'), owner: 'ben', source: 'slack' as const, attempt: 1 };
  const record_id = uuidV5('record');
  const hash = (text: string) => uuidV5(`hash:${text}`);
  await db.transaction().execute(async (trx) => {
    await insertFile(trx, {
      file_id: target.file_id,
      owner: target.owner,
      workflow_id: 'w',
      filename: 'b.json',
      source_type: 'slack',
      size_bytes: 1,
      sha256: 'b',
      object_key: 'uploads/b',
      metadata: {},
    });
  });
  await db
    .insertInto('parsed_content')
    .values({
      record_id,
      owner: 'ben',
      source_type: 'slack',
      account: 'T1',
      content_type: 'message',
      external_id: 'm1',
      text: 'old',
      content_hash: hash('old'),
    })
    .execute();
  await db.insertInto('file_records').values({ file_id: target.file_id, record_id, attempt: 1 }).execute();

  const embedded: string[] = [];
  const embedder: Embedder = {
    name: 'test',
    dimensions: 1,
    close: async () => {},
    async embed(texts) {
      embedded.push(...texts);
      if (embedded.length === 1) {
        await db
          .updateTable('parsed_content')
          .set({ text: 'new', content_hash: hash('new') })
          .execute();
      }
      return texts.map(() => new Float32Array([1]));
    },
  };
  const written: VectorRow[] = [];
  const vectors = { upsert: async (rows: VectorRow[]) => void written.push(...rows) } as unknown as VectorIndex;
  const result = await new MockActivityEnvironment().run(() =>
    writeVectors({ db, embedder, vectors }, target, null, async () => {}),
  );
  expect(result).toMatchObject({ done: true });
  expect(embedded).toEqual(['old', 'new']);
  expect(written).toMatchObject([{ id: record_id, content_hash: hash('new') }]);
  const row = await db.selectFrom('parsed_content').select('vector_hash').executeTakeFirstOrThrow();
  expect(row.vector_hash).toBe(hash('new'));
});
