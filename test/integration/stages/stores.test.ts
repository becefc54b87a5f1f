/** Stages that meet the database: records and uploads as sources, tables and the search index as targets, and an address. */
import { randomUUID } from 'node:crypto';
import { utimes } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sweepOutputs } from '../../../src/activities/maintenance/sweep-outputs.ts';
import { createEgress } from '../../../src/clients/egress.ts';
import { createLog } from '../../../src/logging.ts';
import type { JsonObject } from '../../../src/schema/json.ts';
import type { StageRequest } from '../../../src/schema/stages/contract.ts';
import { type Database, openDatabase } from '../../../src/stores/database.ts';
import { hashEmbedder } from '../../../src/stores/embeddings/hash.ts';
import { insertFile } from '../../../src/stores/files.ts';
import { openVectors } from '../../../src/stores/vectors/index.ts';
import { type StageKit, stageKit } from '../../activities/stages/kit.ts';
import { type TestStack, testStack } from '../../support/stack.ts';

let stack: TestStack;
let database: Database;
let web: Server;
let kit: StageKit;
let inputs: StageRequest['inputs'];
beforeAll(async () => {
  stack = await testStack();
  database = openDatabase(stack.databaseUrl, { max: 5 });
  web = createServer((request, response) => {
    if (request.url === '/orders.csv' || request.url === '/50%25%zz.csv') response.end('id,name\n1,from afar\n');
    else response.writeHead(404).end();
  }).listen(0, '127.0.0.1');
  const egress = createEgress({ allow: ['127.0.0.1'], maxBytes: 1_000_000, timeoutMs: 5_000 });
  const embedder = hashEmbedder({ dimensions: 128 });
  const vectors = await openVectors(stack.config(), { dimensions: embedder.dimensions, writable: true });
  kit = await stageKit({}, { ...database, egress, embedder, vectors });
  const rows = Array.from({ length: 25 }, (_, id) => ({
    id,
    title: `Order ${id}`,
    note: id % 5 ? `a note about otter ${id}` : null,
    price: id + 0.25,
    at: `2026-02-${10 + (id % 10)}T08:00:00Z`,
    tags: ['a', `b"${id}`],
  }));
  inputs = [{ name: 'orders', dataset: await kit.dataset(rows, { schema: { price: 'DECIMAL(10,2)' } }) }];
});
afterAll(async () => {
  web?.close();
  await kit?.deps.egress.close();
  await kit?.deps.vectors?.close();
  await kit?.close();
  await database?.close();
  await stack?.close();
});

const query = async (sql: string): Promise<JsonObject[]> => (await database.pool.query(sql)).rows;
const output = (config: JsonObject, more: Partial<StageRequest> = {}) => kit.run('output', config, { inputs, ...more });

describe('a table in Postgres', () => {
  test('is replaced whole, with the types of its columns', async () => {
    await output({ table: { name: 'orders' } });
    const done = await output({ table: { name: 'orders' } });
    expect(done.summary.table).toEqual({ name: 'pipeline_output.orders', mode: 'replace', rows: 25 });
    expect(done.artifacts).toEqual([]);
    const [row] = await query('SELECT * FROM pipeline_output.orders WHERE id = 6');
    expect(row).toEqual({
      id: '6',
      title: 'Order 6',
      note: 'a note about otter 6',
      price: '6.25',
      at: new Date('2026-02-16T08:00:00Z'),
      tags: ['a', 'b"6'],
    });
    expect(await query('SELECT count(*)::int AS n, count(note)::int AS notes FROM pipeline_output.orders')).toEqual([
      { n: 25, notes: 20 },
    ]);
  });

  test('is appended to once a run', async () => {
    const append = (prefix: string) => output({ table: { name: 'log', mode: 'append' } }, { prefix });
    await append('runs/one/5/');
    await append('runs/one/5/');
    await append('runs/two/5/');
    expect(await query('SELECT count(*)::int AS n FROM pipeline_output.log')).toEqual([{ n: 50 }]);
  });

  test('is merged by key', async () => {
    const upsert = (rows: JsonObject[]) =>
      kit
        .dataset(rows)
        .then((dataset) =>
          kit.run(
            'output',
            { table: { name: 'merged', mode: 'upsert', key: ['k'] } },
            { inputs: [{ name: 'x', dataset }] },
          ),
        );
    await upsert([
      { k: 1, v: 'a' },
      { k: 2, v: 'b' },
    ]);
    await upsert([
      { k: 2, v: 'c' },
      { k: 3, v: 'd' },
    ]);
    expect(await query('SELECT k::int, v FROM pipeline_output.merged ORDER BY k')).toEqual([
      { k: 1, v: 'a' },
      { k: 2, v: 'c' },
      { k: 3, v: 'd' },
    ]);
    await expect(
      upsert([
        { k: 4, v: 'x' },
        { k: 4, v: 'y' },
      ]),
    ).rejects.toMatchObject({ code: 'execution_error', message: expect.stringContaining('pipeline_output.merged') });
    expect(await query('SELECT count(*)::int AS n FROM pipeline_output.merged')).toEqual([{ n: 3 }]);
  });

  test('merged by another key, no longer holds what the earlier key forbade', async () => {
    const merge = async (key: string[], rows: JsonObject[]) =>
      kit.run(
        'output',
        { table: { name: 'rekeyed', mode: 'upsert', key } },
        { inputs: [{ name: 'x', dataset: await kit.dataset(rows) }] },
      );
    await merge(['k'], [{ k: 1, day: 'mon', v: 'a' }]);
    await query('CREATE UNIQUE INDEX theirs ON pipeline_output.rekeyed (v)');
    await merge(
      ['k', 'day'],
      [
        { k: 1, day: 'mon', v: 'b' },
        { k: 1, day: 'tue', v: 'c' },
      ],
    );
    expect(await query('SELECT k::int, day, v FROM pipeline_output.rekeyed ORDER BY v')).toEqual([
      { k: 1, day: 'mon', v: 'b' },
      { k: 1, day: 'tue', v: 'c' },
    ]);
    // Back again: the rows that are there now forbid it, and nothing is lost by the attempt.
    await expect(merge(['k'], [{ k: 2, day: 'wed', v: 'd' }])).rejects.toMatchObject({ code: 'execution_error' });
    expect(
      await query("SELECT indexdef FROM pg_indexes WHERE schemaname = 'pipeline_output' AND tablename = 'rekeyed'"),
    ).toEqual(
      expect.arrayContaining([
        { indexdef: expect.stringMatching(/\(k, day\)$/) },
        { indexdef: expect.stringMatching(/theirs .*\(v\)$/) },
      ]),
    );
  });

  test("is its maker's", async () => {
    await output({ table: { name: 'mine' } });
    await expect(output({ table: { name: 'mine' } }, { owner: 'bob' })).rejects.toMatchObject({ code: 'forbidden' });
    expect(await query('SELECT count(*)::int AS n FROM pipeline_output.mine')).toEqual([{ n: 25 }]);
    await output({ table: { name: 'mine', mode: 'append' } }, { owner: 'root', all_owners: true });
    await output({ table: { name: 'mine' } }, { owner: 'root', all_owners: true });
    await output({ table: { name: 'mine' } });
    for (const name of ['Upper', 'a b', 'x"; DROP TABLE y; --', '../x', 'public.x']) {
      await expect(output({ table: { name } }), name).rejects.toMatchObject({ code: 'invalid_input' });
    }
  });
});

test('a merged table is kept from nothing by names of others, and may be merged by another key', async () => {
  const merge = (table: string, key: string[]) => output({ table: { name: table, mode: 'upsert', key } });
  await output({ table: { name: 'sold_key' } }, { owner: 'bob' });
  await merge('sold', ['id']);
  await merge('sold', ['title', 'id']);
  await merge('sold', ['id']);
  expect(await query('SELECT count(*)::int AS n FROM pipeline_output.sold')).toEqual([{ n: 25 }]);
  const long = 'x'.repeat(60);
  await merge(`${long}_a`, ['id']);
  await merge(`${long}_b`, ['id']);
});

describe('what was published', () => {
  const days = (count: number) => ({ ...kit.deps.config, OUTPUT_RETENTION_DAYS: count });
  const sweep = (count: number) => sweepOutputs({ ...kit.deps, config: days(count), log: createLog('silent', 'test') });
  const tables = async () =>
    (
      await query(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'pipeline_output' AND tablename LIKE 'aged%' ORDER BY 1",
      )
    ).map(({ tablename }) => tablename);

  test('stays for good, unless a retention is set: then what was not written for so long goes', async () => {
    for (const name of ['aged', 'aged_anew', 'aged_in_use', 'aged_unsaid']) await output({ table: { name } });
    await output({ format: 'csv', key: 'aged/old.csv' });
    await output({ format: 'csv', key: 'aged/new.csv' });
    await query('CREATE TABLE pipeline_output.aged_theirs (n int)');
    await query('CREATE VIEW theirs AS SELECT * FROM pipeline_output.aged_in_use');
    const long = '2020-01-01T00:00:00.000Z';
    for (const name of ['aged', 'aged_anew', 'aged_in_use'])
      await query(`COMMENT ON TABLE pipeline_output.${name} IS 'ostinato pipeline output of alice; written ${long}'`);
    // As it was before the time was noted.
    await query("COMMENT ON TABLE pipeline_output.aged_unsaid IS 'ostinato pipeline output of alice'");
    await output({ table: { name: 'aged_anew', mode: 'append' } });
    const { dataDir, S3_BUCKET } = kit.deps.config;
    await utimes(join(dataDir, 'objects', S3_BUCKET, 'outputs/alice/aged/old.csv'), new Date(long), new Date(long));
    const all = await tables();
    expect(await sweep(0)).toBe(0);
    expect(await sweep(36_500)).toBe(0);
    expect(await tables()).toEqual(all);
    expect(await sweep(1)).toBe(2);
    expect(await tables()).toEqual(['aged_anew', 'aged_in_use', 'aged_theirs', 'aged_unsaid']);
    expect(await kit.deps.objects.stat('outputs/alice/aged/old.csv')).toBeNull();
    expect(await kit.deps.objects.stat('outputs/alice/aged/new.csv')).not.toBeNull();
    // Still its maker's, whichever form its comment has.
    for (const name of ['aged_unsaid', 'aged_anew']) {
      await expect(output({ table: { name } }, { owner: 'bob' })).rejects.toMatchObject({ code: 'forbidden' });
    }
    await output({ table: { name: 'aged_unsaid', mode: 'append' } });
  });

  test('and is being read for long, stays until a later sweep and keeps no other reader waiting', async () => {
    for (const name of ['aged_read', 'aged_unread']) {
      await output({ table: { name } });
      await query(`COMMENT ON TABLE pipeline_output.${name}
        IS 'ostinato pipeline output of alice; written 2020-01-01T00:00:00.000Z'`);
    }
    const reader = await database.pool.connect();
    try {
      await reader.query('BEGIN');
      // So that a sweep which waits for it ends too.
      await reader.query("SET LOCAL idle_in_transaction_session_timeout = '20s'");
      await reader.query('SELECT count(*) FROM pipeline_output.aged_read');
      expect(await sweep(1)).toBe(1);
      expect(await query('SELECT count(*)::int AS n FROM pipeline_output.aged_read')).toEqual([{ n: 25 }]);
      expect(await tables()).not.toContain('aged_unread');
    } finally {
      await reader.query('ROLLBACK');
      reader.release();
    }
    expect(await sweep(1)).toBe(1);
    expect(await tables()).not.toContain('aged_read');
  });
});

describe('the search index', () => {
  const index = { text: 'note', title: 'title', id: 'id', occurred_at: 'at', metadata: ['price'], account: 'tests' };

  test('takes rows as records of their owner, with vectors, and a repeat changes nothing', async () => {
    const done = await output({ index });
    expect(done.summary.index).toEqual({ indexed: 20, account: 'tests', vectors: 20 });
    const again = await output({ index });
    expect(again.summary.index).toEqual({ indexed: 20, account: 'tests', vectors: 0 });
    const rows = await query(
      "SELECT title, text, owner, occurred_at, metadata, vector_hash = content_hash AS embedded FROM parsed_content WHERE account = 'tests' ORDER BY external_id::int",
    );
    expect(rows).toHaveLength(20);
    expect(rows[0]).toEqual({
      title: 'Order 1',
      text: 'a note about otter 1',
      owner: 'alice',
      occurred_at: new Date('2026-02-11T08:00:00Z'),
      metadata: { price: '1.25' },
      embedded: true,
    });
    expect(await kit.deps.vectors?.count()).toBe(20);
    const changed = [
      { name: 'x', dataset: await kit.dataset([{ id: 1, title: 'Order 1', note: 'a badger', at: null, price: 1 }]) },
    ];
    await output({ index }, { inputs: changed });
    expect(await query("SELECT text FROM parsed_content WHERE external_id = '1'")).toEqual([{ text: 'a badger' }]);
    expect(await kit.deps.vectors?.count()).toBe(20);
  });

  test('is what processing can embed into', async () => {
    const done = await kit.run(
      'processing',
      { embed: { column: 'title', index: { account: 'titles', id: 'id' } } },
      { inputs },
    );
    expect(done.summary).toMatchObject({ indexed: 25, vectors: 25, account: 'titles' });
  });

  test('gives its records back as a source, to their owner only', async () => {
    const read = (owner: string, records: JsonObject = {}, all_owners = false) =>
      kit.run('data-ingestion', { records }, { owner, all_owners });
    expect((await read('bob')).dataset?.rows).toBe(0);
    expect((await read('bob', {}, true)).dataset?.rows).toBe(45);
    const mine = await read('alice', {
      sources: ['looker'],
      content_types: ['query_result'],
      from: '2026-02-12',
      to: '2026-02-12',
    });
    const rows = await kit.rows(mine.dataset);
    expect(rows.map((row) => row.title).sort()).toEqual(['Order 12', 'Order 2', 'Order 22']);
    expect(mine.dataset?.columns.find((column) => column.name === 'occurred_at')).toEqual({
      name: 'occurred_at',
      type: 'TIMESTAMP WITH TIME ZONE',
    });
    expect(rows[0]).toMatchObject({ source_type: 'looker', account: 'tests', author: null });
    expect((await read('alice')).dataset?.sha256).toBe((await read('alice')).dataset?.sha256);
  });
});

describe('other sources', () => {
  test("an uploaded file, which is its owner's", async () => {
    const file_id = randomUUID();
    await kit.put(`uploads/${file_id}`, 'id;name\n1;x\n');
    await database.db.transaction().execute((trx) =>
      insertFile(trx, {
        file_id,
        owner: 'alice',
        workflow_id: 'w',
        filename: 'orders.csv',
        source_type: 'looker',
        size_bytes: 12,
        sha256: file_id,
        object_key: `uploads/${file_id}`,
        metadata: {},
      }),
    );
    const read = (owner: string, all_owners = false) =>
      kit.run('data-ingestion', { source: `file:${file_id}` }, { owner, all_owners });
    expect(await kit.rows((await read('alice')).dataset)).toEqual([{ id: '1', name: 'x' }]);
    expect((await read('bob', true)).dataset?.rows).toBe(1);
    await expect(read('bob')).rejects.toMatchObject({ code: 'not_found' });
    await expect(kit.run('data-ingestion', { source: `file:${randomUUID()}` })).rejects.toMatchObject({
      code: 'not_found',
    });
  });

  test("a run's objects, for who started it", async () => {
    await kit.put('runs/the-run/0/data.csv', 'a\n1\n');
    await query(
      `INSERT INTO workflow_runs (workflow_id, type, room, owner, input) VALUES ('the-run', 'runPipeline', 'pipelines', 'alice', '{}')`,
    );
    const read = (owner: string) => kit.run('data-ingestion', { source: 'runs/the-run/0/data.csv' }, { owner });
    expect((await read('alice')).dataset?.rows).toBe(1);
    await expect(read('bob')).rejects.toMatchObject({ code: 'forbidden' });
  });

  test("a pipeline run's objects, by the keys that its stages name", async () => {
    const [run_id, pipeline_id] = [randomUUID(), randomUUID()];
    await query(`INSERT INTO pipelines (pipeline_id, owner, name) VALUES ('${pipeline_id}', 'alice', 'p')`);
    await query(
      `INSERT INTO pipeline_runs (run_id, pipeline_id, version, owner, principal, workflow_id)
       VALUES ('${run_id}', '${pipeline_id}', 1, 'alice', '{}', 'run-${run_id}')`,
    );
    await kit.put(`runs/${run_id}/0/data.csv`, 'a\n1\n');
    const read = (owner: string) => kit.run('data-ingestion', { source: `runs/${run_id}/0/data.csv` }, { owner });
    expect((await read('alice')).dataset?.rows).toBe(1);
    await expect(read('bob')).rejects.toMatchObject({ code: 'forbidden' });
  });

  test("nobody's by a key in capitals, which some file systems take for the same", async () => {
    for (const source of ['Uploads/x', 'RUNS/the-run/0/data.csv', 's3://orchestra-data-ingestion/Outputs/bob/'])
      await expect(kit.run('data-ingestion', { source }), source).rejects.toMatchObject({ code: 'forbidden' });
  });

  test('an address, through the guard for outgoing calls', async () => {
    const { port } = web.address() as AddressInfo;
    const done = await kit.run('data-ingestion', { source: `http://127.0.0.1:${port}/orders.csv` });
    expect(await kit.rows(done.dataset)).toEqual([{ id: '1', name: 'from afar' }]);
    await expect(kit.run('data-ingestion', { source: `http://127.0.0.1:${port}/absent.csv` })).rejects.toMatchObject({
      code: 'fetch_failed',
    });
    const odd = await kit.run('data-ingestion', { source: `http://127.0.0.1:${port}/50%25%zz.csv` });
    expect(odd.dataset?.rows).toBe(1);
    await expect(kit.run('data-ingestion', { source: 'http://127.0.0.2/x.csv' })).rejects.toMatchObject({
      code: 'egress_denied',
    });
    await expect(
      kit.run('data-ingestion', { source: 'http://169.254.169.254/latest/meta-data' }),
    ).rejects.toMatchObject({ code: 'egress_denied' });
  });
});
