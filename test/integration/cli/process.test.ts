/** The command as a process: memory of a big upload, pipes that close, signals. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, ftruncateSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RUN_ID, runView } from '../../cli/control-views.ts';
import {
  accepted,
  type FakeApi,
  fileView,
  type Handler,
  json,
  KEY,
  readForm,
  startFakeApi,
} from '../../cli/fake-api.ts';

const MAIN = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));
const MIB = 1024 * 1024;

let api: FakeApi | undefined;
let folder: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ostinato-cli-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await api?.close();
  api = undefined;
  rmSync(folder, { recursive: true });
});

async function start(argv: string[], routes: Record<string, Handler>): Promise<ChildProcess> {
  api = await startFakeApi(routes);
  const child = spawn(process.execPath, [MAIN, ...argv], {
    cwd: folder,
    env: { OSTINATO_URL: api.url, OSTINATO_API_KEY: KEY },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  return child;
}

async function finish(child: ChildProcess): Promise<{ exit: number | null; stdout: string; stderr: string }> {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    stderr += chunk;
  });
  const exit = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { exit, stdout, stderr };
}

/** Peak resident memory in MiB, as Linux counts it. */
function peakOf(pid: number): number {
  const match = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1]) / 1024;
}

async function peakOfUpload(size: number): Promise<number> {
  const path = join(folder, `${size}.zip`);
  const fd = openSync(path, 'w');
  ftruncateSync(fd, size);
  closeSync(fd);
  let peak = 0;
  let received = 0;
  let child: ChildProcess | undefined;
  child = await start(['ingest', path, '--source', 'slack'], {
    'POST /api/v1/files': async (request, response) => {
      received = (await readForm(request)).bytes;
      peak = peakOf(child?.pid ?? 0);
      json(response, 202, accepted());
    },
  });
  const ran = await finish(child);
  await api?.close();
  api = undefined;
  expect(ran).toMatchObject({ exit: 0, stderr: '' });
  expect(received).toBe(size);
  return peak;
}

test.runIf(process.platform === 'linux')('an upload takes no more memory for 1 GiB than for 16 MiB', async () => {
  const small = await peakOfUpload(16 * MIB);
  const big = await peakOfUpload(1024 * MIB);
  expect(big - small).toBeLessThan(80);
});

test('SIGINT during an upload ends with 130, SIGTERM with 143', async () => {
  const path = join(folder, 'export.zip');
  writeFileSync(path, Buffer.alloc(8 * MIB));
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    let child: ChildProcess | undefined;
    child = await start(['ingest', path, '--source', 'slack'], {
      'POST /api/v1/files': (request) => void request.once('data', () => child?.kill(signal)),
    });
    const ran = await finish(child);
    expect(ran.exit).toBe(code);
    expect(ran.stderr).toMatch(/Interrupted: the upload was not finished/);
    await api?.close();
  }
});

test('SIGINT while a run is watched ends with 130 and leaves it going', async () => {
  let child: ChildProcess | undefined;
  child = await start(['pipelines', 'status', RUN_ID, '--watch'], {
    'GET /api/v1/events': (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
      child?.kill('SIGINT');
    },
    [`GET /api/v1/pipeline-runs/${RUN_ID}`]: (_request, response) =>
      json(response, 200, runView({ status: 'running', completed_at: null })),
  });
  const ran = await finish(child);
  expect(ran.exit).toBe(130);
  expect(ran.stderr).toContain('the run goes on without this command');
  expect(api?.requests.every((request) => request.startsWith('GET '))).toBe(true);
});

test('a reader that has seen enough is no error', async () => {
  const items = Array.from({ length: 2000 }, () => fileView({ filename: 'x'.repeat(500) }));
  const child = await start(['files', 'list'], {
    'GET /api/v1/files': (_request, response) => json(response, 200, { items, next_cursor: null, truncated: false }),
  });
  child.stdout?.once('data', () => child.stdout?.destroy());
  const exit = await new Promise<number | null>((resolve) => child.once('exit', resolve));
  expect(exit).toBe(0);
});

test('everything written reaches a slow pipe before the process ends', async () => {
  const items = Array.from({ length: 2000 }, () => fileView({ filename: 'x'.repeat(500) }));
  const child = await start(['files', 'list'], {
    'GET /api/v1/files': (_request, response) => json(response, 200, { items, next_cursor: null, truncated: false }),
  });
  const ran = await finish(child);
  expect(ran.exit).toBe(0);
  expect(ran.stdout.trimEnd().split('\n')).toHaveLength(2000);
});

test('mcp says when the API is not there (3) or refuses the key (4)', async () => {
  const refused = await finish(await start(['mcp', '--key', 'wrong'], {}));
  expect(refused.exit).toBe(4);
  expect(refused.stderr).toContain('refuses the API key');
  const child = await start(['mcp', '--url', 'http://127.0.0.1:9'], {});
  expect((await finish(child)).exit).toBe(3);
});
