/** Files whose vectors come later: the embedder is away, is slow, or the index was lost. Real workers, real stores. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDeps, type Deps } from '../../../src/deps.ts';
import { createLog } from '../../../src/logging.ts';
import { Failure } from '../../../src/schema/failures.ts';
import { QUEUES, WORKFLOWS } from '../../../src/schema/names.ts';
import type { Principal } from '../../../src/schema/principal.ts';
import { takeUpload } from '../../../src/services/files/upload.ts';
import { search } from '../../../src/services/search/search.ts';
import type { Embedder } from '../../../src/stores/contract.ts';
import { type FileRow, findFile } from '../../../src/stores/files.ts';
import { type RunningWorkers, runWorkers } from '../../../src/workers/run.ts';
import { type TestStack, testStack } from '../../support/stack.ts';

const OWNER = 'ana';
const PRINCIPAL: Principal = { id: OWNER, name: OWNER, role: 'analyst', grants: [], via: 'local', keyId: null };

/** A text that the embedder will not take. */
const REFUSED = 'unspeakable';

let stack: TestStack;
let opened: Deps;
let deps: Deps;
let workers: RunningWorkers;
/** What the embedder answers with instead of vectors. */
let away: Error | null = null;

beforeAll(async () => {
  stack = await testStack();
  const log = createLog('silent', 'test');
  opened = await createDeps(stack.config(), { log, applicationName: 'test', writesVectors: true });
  deps = { ...opened, embedder: sometimesAway(opened.embedder as Embedder) };
  workers = await runWorkers(deps);
});
afterAll(async () => {
  workers?.stop();
  await workers?.done;
  await opened?.close();
  await stack?.close();
});

function sometimesAway(real: Embedder): Embedder {
  return {
    ...real,
    embed: async (texts, signal) => {
      if (away) throw away;
      if (texts.some((text) => text.includes(REFUSED))) throw new Failure('semantic_unavailable', 'Not this text');
      return real.embed(texts, signal);
    },
  };
}

let made = 0;
async function ingest(word: string, withinMs = 20_000): Promise<FileRow> {
  const day = 1_735_689_600 + 86_400 * made++;
  const messages = Array.from({ length: 30 }, (_, n) => ({
    type: 'message',
    user: 'U1',
    text: `${word} number ${n}`,
    ts: `${day + n}.000100`,
  }));
  const body = (async function* () {
    yield Buffer.from(JSON.stringify(messages));
  })();
  const { file_id } = await takeUpload(deps, {
    owner: OWNER,
    filename: `${word}.json`,
    body,
    fields: async () => ({ source_type: 'slack', metadata: {} }),
    idempotencyKey: null,
  });
  await expect
    .poll(async () => (await findFile(deps.db, file_id))?.status, { timeout: withinMs, interval: 50 })
    .toMatch(/^(completed|failed)$/);
  return (await findFile(deps.db, file_id)) as FileRow;
}

let runs = 0;
const catchUp = () =>
  deps.temporal.workflow.execute(WORKFLOWS.catchUpVectors, {
    workflowId: `catch-up-${runs++}`,
    taskQueue: QUEUES.workflows,
    args: [],
  });

async function vectorsOf(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const { id, content_hash } of (deps.vectors as NonNullable<Deps['vectors']>).scan())
    found.set(id, content_hash);
  return found;
}

async function rowsOf(): Promise<Map<string, string>> {
  const rows = await deps.db.selectFrom('parsed_content').select(['record_id', 'content_hash']).execute();
  return new Map(rows.map((row) => [row.record_id, row.content_hash]));
}

const find = (query: string, mode: 'keyword' | 'semantic') =>
  search(deps, PRINCIPAL, { query, mode, limit: 10 } as Parameters<typeof search>[2], Date.now());

test('without an embedder a file completes, is found by its words, and gets its vectors later', async () => {
  away = new Failure('semantic_unavailable', 'The embedding model could not be fetched');
  const file = await ingest('harbour');
  expect(file).toMatchObject({ status: 'completed', progress: 100, error: null });
  expect([file.total_records, file.vector_count].map(Number)).toEqual([30, 0]);
  expect((await find('harbour', 'keyword')).result_count).toBe(10);
  expect(await catchUp()).toEqual({ files: 0, vectors: 0, off: 'The embedding model could not be fetched' });

  away = null;
  expect(await catchUp()).toEqual({ files: 1, vectors: 30, off: null });
  expect(Number((await findFile(deps.db, file.file_id))?.vector_count)).toBe(30);
  expect(await vectorsOf()).toEqual(await rowsOf());
  expect((await find('harbour number 3', 'semantic')).result_count).toBe(10);
  expect(await catchUp()).toEqual({ files: 0, vectors: 0, off: null });
});

test('a model that does not become ready holds no file up for long', { timeout: 60_000 }, async () => {
  const real = deps.embedder as Embedder;
  const never = new Promise<never>(() => {});
  const embed = real.embed;
  real.embed = () => never;
  try {
    const { status, vector_count } = await ingest('lighthouse', 30_000);
    expect([status, Number(vector_count)]).toEqual(['completed', 0]);
  } finally {
    real.embed = embed;
  }
  expect(await catchUp()).toMatchObject({ files: 1, vectors: 30 });
});

test('a file that the embedder refuses holds up no other', async () => {
  const refused = await ingest(REFUSED);
  away = new Failure('semantic_unavailable', 'away');
  const other = await ingest('pier');
  away = null;
  expect(await catchUp()).toEqual({ files: 1, vectors: 30, off: 'Not this text' });
  const counts = [refused, other].map(async ({ file_id }) => Number((await findFile(deps.db, file_id))?.vector_count));
  expect(await Promise.all(counts)).toEqual([0, 30]);
  await deps.db
    .updateTable('file_imports')
    .set({ deleted_at: new Date() })
    .where('file_id', '=', refused.file_id)
    .execute();
});

test('an index that was lost is made anew from the rows', async () => {
  const before = await vectorsOf();
  expect(before.size).toBe(90);
  await deps.vectors?.deleteIds([...before.keys()]);
  expect(await catchUp()).toEqual({ files: 3, vectors: 90, off: null });
  expect(await vectorsOf()).toEqual(before);
});

test('an outage of the embedder is waited out instead', async () => {
  away = new Failure('unavailable', 'The embedding server does not answer');
  setTimeout(() => {
    away = null;
  }, 1_500);
  const file = await ingest('ferry');
  expect([file.status, Number(file.vector_count)]).toEqual(['completed', 30]);
});
