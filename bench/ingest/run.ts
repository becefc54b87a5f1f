/** Rows (a) and (b): a large export end to end beside a bare script and dlt, and the worker's memory at two sizes. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, openAsBlob, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { freePort } from '../../src/local/ports.ts';
import { readRuntime } from '../../src/local/runtime.ts';
import { removeDataDir, type System, startSystem } from '../../test/support/system.ts';
import { embeddedDatabaseUrl } from '../../test/support/truth.ts';
import { median, type Row } from '../row.ts';
import { dltLoad, preparePython, writeLines } from './dlt.ts';
import { writeExport } from './exports.ts';

const MB = 1_000_000;
const ROUNDS = 5;
const BARE = fileURLToPath(new URL('./bare.ts', import.meta.url));

export async function benchIngest(rounds = ROUNDS): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'ostinato-bench-'));
  const port = await freePort();
  const system = await startSystem({ EMBEDDINGS: 'off', POSTGRES_PORT: String(port) });
  const databaseUrl = embeddedDatabaseUrl(system.dataDir, port);
  try {
    const export100 = join(folder, '100.zip');
    await writeExport(export100, 100 * MB);
    const ours: number[] = [];
    const bare: number[] = [];
    const dlt: number[] = [];
    const lines = join(folder, '100.ndjson');
    const python = preparePython();
    if (python !== null) await writeLines(export100, lines);
    for (let round = 0; round < rounds; round++) {
      ours.push(await throughSystem(system, export100));
      await empty(databaseUrl);
      bare.push(runBare(export100, databaseUrl));
      if (python !== null) dlt.push(dltLoad(python, lines, databaseUrl));
      await empty(databaseUrl);
    }
    const share = median(ours.map((ms, i) => (bare[i] ?? Number.NaN) / ms));
    const rows: Row[] = [
      {
        id: 'a',
        what: '100 MB Slack export to searchable rows, speed relative to a bare parse-and-COPY script',
        value: `${share.toFixed(2)} (${seconds(ours)} s beside ${seconds(bare)} s)`,
        target: '≥ 0.7',
        met: share >= 0.7,
      },
    ];
    if (python !== null) {
      const times = median(ours.map((ms, i) => (dlt[i] ?? Number.NaN) / ms));
      rows.push({
        id: 'a',
        what: 'the same beside dlt with its default settings loading the same records, parsed for it beforehand, into tables without our indexes',
        value: `${times.toFixed(1)}× as fast (dlt ${seconds(dlt)} s)`,
        target: '≥ 5×',
        met: times >= 5,
      });
    }
    return rows;
  } finally {
    await system.stop();
    removeDataDir(system);
    rmSync(folder, { recursive: true, force: true });
  }
}

const seconds = (ms: number[]) => (median(ms) / 1000).toFixed(1);

/** Milliseconds from the first byte of the upload until the file is completed. */
async function throughSystem(system: System, path: string): Promise<number> {
  const started = performance.now();
  const form = new FormData();
  form.set('source_type', 'slack');
  form.set('file', await openAsBlob(path), 'export.zip');
  const { status, body } = await system.call('POST', '/api/v1/files', form);
  if (status !== 202) throw new Error(`upload: ${status} ${JSON.stringify(body)}`);
  for (;;) {
    const { body: file } = await system.call('GET', `/api/v1/files/${body.file_id}`);
    if (file.status === 'completed') {
      return performance.now() - started;
    }
    if (file.status === 'failed') throw new Error(JSON.stringify(file.error));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function runBare(path: string, databaseUrl: string): number {
  const done = spawnSync(process.execPath, [BARE, path, databaseUrl, 'admin'], { encoding: 'utf8', maxBuffer: 1e8 });
  if (done.status !== 0) throw new Error(done.stderr);
  return (JSON.parse(done.stdout) as { ms: number }).ms;
}

/** The same empty tables for everybody, vacuumed, so that nobody pays for another's leftovers. */
async function empty(databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query('TRUNCATE parsed_content, file_records, file_imports, workflow_runs');
  await client.query('CHECKPOINT');
  await client.end();
}

/** Row (b): the worker's peak resident memory while an export of each size goes through, each in a fresh system. */
export async function benchMemory(): Promise<Row> {
  const folder = mkdtempSync(join(tmpdir(), 'ostinato-bench-'));
  const small = await peakOf(folder, 100 * MB);
  const large = await peakOf(folder, 1000 * MB);
  const growth = large / small;
  return {
    id: 'b',
    what: 'worker memory peak at 1 GB beside 100 MB',
    value: `${Math.round(large / MB)} MB beside ${Math.round(small / MB)} MB (${growth.toFixed(2)})`,
    target: '< 512 MB and not growing (≤ 1.15)',
    met: large < 512 * MB && growth <= 1.15,
  };
}

async function peakOf(folder: string, bytes: number): Promise<number> {
  const path = join(folder, `${bytes}.zip`);
  await writeExport(path, bytes);
  const system = await startSystem({ EMBEDDINGS: 'off' });
  try {
    await throughSystem(system, path);
    const pid = readRuntime(system.dataDir)?.processes.find((process) => process.name === 'worker')?.pid;
    // The kernel keeps the peak itself; nothing is sampled.
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Number(peak) * 1024;
  } finally {
    await system.stop();
    removeDataDir(system);
    rmSync(path, { force: true });
  }
}
