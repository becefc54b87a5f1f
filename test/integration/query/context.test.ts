/** The context document and suggestions: true at every moment, the same from two processes, nobody else's in sight. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Deps } from '../../../src/deps.ts';
import { invoke } from '../../../src/operations/invoke.ts';
import { queryOperations } from '../../../src/operations/query/index.ts';
import { ContextDocument } from '../../../src/schema/context.ts';
import type { FileStatus, Phase } from '../../../src/schema/names.ts';
import type { Principal } from '../../../src/schema/principal.ts';
import { QueryInput } from '../../../src/schema/query.ts';
import { search } from '../../../src/services/search/search.ts';
import { openDatabase } from '../../../src/stores/database.ts';
import { pruneQueryLog } from '../../../src/stores/query-log.ts';
import { land, openStage, principal, type Stage } from './stage.ts';

const root = principal('root', 'admin');
const ana = principal('ana');
const boris = principal('boris');
let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

async function call(name: string, who: Principal, input: object = {}, deps: unknown = stage.deps): Promise<never> {
  const operation = queryOperations.find((candidate) => candidate.name === name);
  if (!operation) throw new Error(`no operation ${name}`);
  const invocation = {
    principal: who,
    requestId: 'r',
    address: null,
    idempotencyKey: null,
    signal: new AbortController().signal,
    report: () => {},
  };
  return operation.output.parse(
    await invoke(
      { limits: { take: () => null }, ...(deps as object) } as unknown as Deps,
      operation,
      invocation,
      input,
    ),
  ) as never;
}
const context = (who: Principal, deps?: unknown): Promise<ContextDocument> => call('context.read', who, {}, deps);
const ask = (who: Principal, query: string, more: object = {}) =>
  search(stage.deps, who, QueryInput.parse({ query, mode: 'keyword', ...more }), Date.now());

let at = Date.parse('2025-03-01T00:00:00Z');
async function file(owner: string, status: FileStatus, phase: Phase, progress: number): Promise<string> {
  const file_id = randomUUID();
  at += 1_000;
  await stage.deps.db
    .insertInto('file_imports')
    .values({
      file_id,
      owner,
      status,
      phase,
      progress,
      workflow_id: `w-${file_id}`,
      filename: `${status}.zip`,
      source_type: 'slack',
      size_bytes: 2_000_000,
      sha256: file_id,
      object_key: `files/${file_id}`,
      created_at: new Date(at),
      started_at: status === 'pending' ? null : new Date(at),
    })
    .execute();
  return file_id;
}

describe('the context document', () => {
  test('is idle and empty at first, with every field and no other', async () => {
    const document = await context(root);
    expect(ContextDocument.strict().parse(document)).toEqual(document);
    expect(document).toMatchObject({
      context_type: 'data_ingestion',
      version: '1.0.0',
      workflow_state: {
        current_phase: 'idle',
        active_files: [],
        processing_queue: { pending: 0, processing: 0, completed: 0 },
      },
      source_mappings: {
        looker: {
          parser: 'LookerParser',
          supported_formats: ['json', 'csv', 'pdf'],
          content_types: ['dashboard', 'query_result', 'visualization'],
        },
      },
      query_context: { recent_queries: [], popular_queries: [], cache_stats: { hit_rate: 0, total_queries: 0 } },
      storage_metrics: {
        postgres: { total_records: 0 },
        weaviate: { total_vectors: 0, dimensions: 384, collections: ['DataContent'] },
        s3: { total_files: 0, size_gb: 0, bucket: 'orchestra-data-ingestion' },
      },
    });
    expect(Object.keys(document.source_mappings)).toEqual(['slack', 'gong', 'salesforce', 'looker', 'hubspot']);
    expect(Object.keys(document)).toEqual([
      'context_type',
      'version',
      'workflow_state',
      'source_mappings',
      'query_context',
      'storage_metrics',
    ]);
    expect(document.storage_metrics.postgres.index_size_gb).toBeGreaterThan(0);
  });

  test('tells active files newest first, their queue, and the phase of the newest', async () => {
    await file('ana', 'completed', 'completed', 100);
    await file('ana', 'failed', 'processing', 40);
    const old = await file('ana', 'processing', 'indexing', 80);
    const paused = await file('ana', 'paused', 'processing', 30);
    const newest = await file('ana', 'pending', 'upload', 0);
    const { workflow_state } = await context(ana);
    expect(workflow_state.current_phase).toBe('upload');
    expect(workflow_state.active_files.map((active) => active.file_id)).toEqual([newest, paused, old]);
    expect(workflow_state.active_files[2]).toEqual({
      file_id: old,
      filename: 'processing.zip',
      source_type: 'slack',
      status: 'processing',
      progress: 80,
      started_at: expect.stringMatching(/^2025-03-01T00:00:0\d\.000Z$/),
    });
    expect(workflow_state.processing_queue).toEqual({ pending: 2, processing: 1, completed: 1 });
    expect(await call('processing.status', ana)).toEqual({
      active_files: workflow_state.active_files,
      queue_status: workflow_state.processing_queue,
      current_phase: 'upload',
    });
    expect((await context(ana)).storage_metrics.s3).toMatchObject({ total_files: 5, size_gb: 0.01 });
    await stage.deps.db
      .updateTable('file_imports')
      .set({ status: 'completed', phase: 'completed' })
      .where('file_id', 'in', [newest, paused])
      .execute();
    expect((await context(ana)).workflow_state).toMatchObject({
      current_phase: 'indexing',
      processing_queue: { pending: 0, processing: 1, completed: 3 },
    });
    await stage.deps.db
      .updateTable('file_imports')
      .set({ deleted_at: new Date() })
      .where('owner', '=', 'ana')
      .execute();
    expect((await context(ana)).workflow_state).toEqual({
      current_phase: 'idle',
      active_files: [],
      processing_queue: { pending: 0, processing: 0, completed: 0 },
    });
  });

  test('counts records and vectors as they are', async () => {
    const before = (await context(ana)).storage_metrics;
    await land(stage.deps, 'ana', 'slack', [{ external_id: 'v', content_type: 'message', text: 'with a vector' }]);
    await land(stage.deps, 'ana', 'slack', [{ external_id: 'n', content_type: 'message', text: 'without' }], {
      withVectors: false,
    });
    const after = (await context(ana)).storage_metrics;
    expect(after.postgres.total_records - before.postgres.total_records).toBe(2);
    expect(after.weaviate.total_vectors - before.weaviate.total_vectors).toBe(1);
  });

  test('shows the last ten queries, the popular ones and the hit rate', async () => {
    for (let round = 0; round < 11; round += 1) await ask(ana, `number ${round}`, { sources: ['slack'] });
    await ask(ana, 'number 3', { sources: ['slack'] });
    const { query_context } = await context(ana);
    expect(query_context.recent_queries).toHaveLength(10);
    expect(query_context.recent_queries[0]).toEqual({
      query: 'number 3',
      sources: ['slack'],
      result_count: 0,
      response_time_ms: expect.any(Number),
      timestamp: expect.any(String),
    });
    expect(query_context.popular_queries).toEqual([{ query: 'number 3', count: 2 }]);
    expect(query_context.cache_stats).toMatchObject({ total_queries: 12, hit_rate: 1 / 12 });
  });

  test('is the same from two processes', async () => {
    const other = openDatabase(stage.deps.databaseUrl);
    await file('ana', 'processing', 'processing', 10);
    expect(await context(ana, { ...stage.deps, ...other })).toEqual(await context(ana));
    await other.close();
  });

  test('shows others neither files nor queries; an admin sees all', async () => {
    const theirs = await context(boris);
    expect(theirs.workflow_state.active_files).toEqual([]);
    expect(theirs.query_context.recent_queries).toEqual([]);
    expect(theirs.storage_metrics).toMatchObject({ postgres: { total_records: 0 }, s3: { total_files: 0 } });
    const all = await context(root);
    expect(all.workflow_state.active_files).toHaveLength(1);
    expect(all.query_context.cache_stats.total_queries).toBe(12);
    expect((await context(principal('olga', 'operator'))).query_context.recent_queries).toEqual([]);
  });
});

describe('suggestions', () => {
  const suggest = async (who: Principal, q?: string): Promise<string[]> =>
    ((await call('query.suggestions', who, q === undefined ? {} : { q })) as { suggestions: string[] }).suggestions;

  test('hold the text in any case, own recent ones first, at most five, each once', async () => {
    for (const query of [
      'Apple pie',
      'apple tart',
      'pear cake',
      'APPLE PIE',
      'an apple a',
      'apple b',
      'apple c',
      'apple d',
    ])
      await ask(boris, query);
    expect(await suggest(boris, 'aPPle')).toEqual(['apple d', 'apple c', 'apple b', 'an apple a', 'APPLE PIE']);
    expect(await suggest(boris, 'pear')).toEqual(['pear cake']);
    expect(await suggest(boris)).toHaveLength(5);
  });

  test('take %, _ and \\ as they are', async () => {
    await ask(boris, 'growth of 100% in a_b c\\d');
    expect(await suggest(boris, '100%')).toHaveLength(1);
    expect(await suggest(boris, 'a_b')).toHaveLength(1);
    expect(await suggest(boris, 'c\\d')).toHaveLength(1);
    expect(await suggest(boris, '%')).toEqual(['growth of 100% in a_b c\\d']);
  });

  test('never come from others, except for an admin', async () => {
    await ask(boris, 'secret merger');
    await ask(boris, 'secret merger');
    expect(await suggest(ana, 'secret')).toEqual([]);
    expect(await suggest(principal('olga', 'operator'), 'secret')).toEqual([]);
    expect(
      await suggest(principal('carla', 'analyst', [{ resource: 'owner:boris', access: 'read' }]), 'secret'),
    ).toEqual([]);
    expect(await suggest(root, 'secret')).toEqual(['secret merger']);
    await ask(root, 'secret garden');
    expect(await suggest(root, 'secret')).toEqual(['secret garden', 'secret merger']);
  });

  test('forget what is pruned', async () => {
    await pruneQueryLog(stage.deps.db, new Date(Date.now() + 1_000));
    expect(await suggest(boris, 'apple')).toEqual([]);
  });
});

describe('a single record', () => {
  test('is read whole by who may see it and is not found by others', async () => {
    const text = 'x'.repeat(10_000);
    const [id] = await land(stage.deps, 'ana', 'slack', [
      { external_id: 'long', content_type: 'message', text, author: 'Marta Santos' },
    ]);
    expect(await call('records.get', ana, { record_id: id })).toMatchObject({
      id,
      text,
      author: 'Marta Santos',
      account: 'test',
    });
    await expect(call('records.get', boris, { record_id: id })).rejects.toMatchObject({ code: 'not_found' });
  });
});
