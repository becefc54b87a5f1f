/** Ingests the same export again and again while parts of the system are killed, and compares what is left each time. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { slackExport } from '../../samples/slack/export.ts';
import { freePort } from '../../src/local/ports.ts';
import { type Part, removeDataDir, type System, startSystem, untilOver, upload } from './system.ts';
import { contents, embeddedDatabaseUrl, readTruth, type Truth, type Where } from './truth.ts';

export const RECORDS = 5_000;
/** What a kill may cost at most in records parsed again. */
export const BATCH = 500;
const DIMENSIONS = 64;
const PARTS: Part[] = ['worker', 'api', 'temporal', 'postgres'];

export interface Round {
  part: Part;
  afterMs: number;
  tookMs: number;
  /** Records that the parsers emitted in all, counted from their log lines. */
  emitted: number;
}

export interface Campaign {
  undisturbed: { contents: ReturnType<typeof contents>; records: number; tookMs: number };
  /** One round: ingest, kill, wait, compare by `check`, delete, and look that nothing is left. */
  round(index: number): Promise<{
    round: Round;
    after: Truth;
    left: Truth;
    file: { total_records: number; vector_count: number; file_id: string };
  }>;
  stop(): Promise<void>;
}

/** Small steps of a fixed sequence, so that a failing round can be run again. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

async function collect(bytes: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of bytes) parts.push(part);
  return Buffer.concat(parts);
}

export async function startCampaign(seed: number, report: (line: string) => void): Promise<Campaign> {
  const port = await freePort();
  const system = await startSystem({
    POSTGRES_PORT: String(port),
    EMBEDDINGS: 'hash',
    EMBEDDING_DIMENSIONS: String(DIMENSIONS),
    INGEST_BATCH_RECORDS: String(BATCH),
    LOG_LEVEL: 'debug',
  });
  const where: Where = {
    dataDir: system.dataDir,
    databaseUrl: embeddedDatabaseUrl(system.dataDir, port),
    dimensions: DIMENSIONS,
  };
  const content = await collect(slackExport({ messages: RECORDS, seed: 'crash' }));
  const next = random(seed);
  try {
    const started = Date.now();
    const first = await ingest(system, content);
    const file = await untilOver(system, first);
    const tookMs = Date.now() - started;
    const truth = await readTruth(where);
    await removeFile(system, first, where);
    report(`undisturbed: ${file.total_records} records in ${tookMs} ms`);
    return {
      undisturbed: { contents: contents(truth), records: file.total_records, tookMs },
      round: async (index) => {
        const part = PARTS[index % PARTS.length] ?? 'worker';
        const afterMs = Math.round(next() * tookMs);
        const result = await disturbed(system, where, content, part, afterMs);
        report(
          `round ${index + 1}: killed ${part} after ${afterMs} ms, done in ${result.round.tookMs} ms, ${result.round.emitted} emitted`,
        );
        return result;
      },
      stop: async () => {
        await system.stop();
        removeDataDir(system);
      },
    };
  } catch (error) {
    await system.stop();
    throw error;
  }
}

async function disturbed(system: System, where: Where, content: Uint8Array, part: Part, afterMs: number) {
  const emittedBefore = countEmitted(where.dataDir);
  const started = Date.now();
  const fileId = await ingest(system, content);
  await new Promise((resolve) => setTimeout(resolve, afterMs));
  system.kill(part);
  const file = await untilOver(system, fileId, 180);
  const tookMs = Date.now() - started;
  const emitted = countEmitted(where.dataDir) - emittedBefore;
  const after = await patiently(() => readTruth(where));
  await removeFile(system, fileId, where);
  const left = await readTruth(where);
  return { round: { part, afterMs, tookMs, emitted }, after, left, file };
}

/** Uploads until the system answers: an API that was just killed comes back by itself. */
async function ingest(system: System, content: Uint8Array): Promise<string> {
  const { body } = await patiently(async () => {
    const answer = await upload(system, 'slack', 'export.zip', content, {
      'idempotency-key': `crash-${Math.random()}`,
    });
    if (answer.status !== 202) throw new Error(`upload: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer;
  });
  return body.file_id;
}

async function removeFile(system: System, fileId: string, where: Where): Promise<void> {
  const { body } = await patiently(async () => {
    const answer = await system.call('DELETE', `/api/v1/files/${fileId}`);
    if (answer.status !== 202) throw new Error(`delete: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer;
  });
  await patiently(async () => {
    const { body: run } = await system.call('GET', `/api/v1/workflows/${body.workflow_id}`);
    if (run.status !== 'completed') throw new Error(`the deletion is ${run.status}`);
  });
  void where;
}

/** Tries again for a minute: what is down comes back by itself. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  const until = Date.now() + 60_000;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (Date.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

/** Sum over the parsers' own log lines, which they write before anything becomes of a batch. */
function countEmitted(dataDir: string): number {
  const folder = join(dataDir, 'logs');
  if (!existsSync(folder)) return 0;
  return readdirSync(folder)
    .filter((name) => name.startsWith('worker'))
    .flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n'))
    .reduce((sum, line) => sum + Number(/"emitted":(\d+)/.exec(line)?.[1] ?? 0), 0);
}
