/** A small HTTP server that speaks the API's contracts, and a way to run the command line against it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import busboy from 'busboy';
import { afterEach, beforeEach } from 'vitest';
import type { Io } from '../../src/cli/context.ts';
import { run } from '../../src/cli/run.ts';
import type { FileView } from '../../src/schema/files.ts';

export const KEY = 'ost_key-for-the-tests';
export const FILE_ID = '0b8f6f0a-3f0c-4d4e-9a55-5a5f0f4c1a01';

export type Handler = (request: IncomingMessage, response: ServerResponse, url: URL) => void | Promise<void>;

export interface FakeApi {
  url: string;
  /** `METHOD /path` of every request, in order. */
  requests: string[];
  close(): Promise<void>;
}

/** Routes by `METHOD /path`; what no route answers is a problem document `not_found`. */
export async function startFakeApi(routes: Record<string, Handler>): Promise<FakeApi> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://x');
    const route = `${request.method} ${url.pathname}`;
    requests.push(`${request.method} ${request.url}`);
    if (request.headers.authorization !== `Bearer ${KEY}`) {
      return problem(response, 401, 'unauthenticated', 'No valid credentials were given');
    }
    const handler = routes[route];
    if (!handler) return problem(response, 404, 'not_found', `Nothing at ${route}`);
    Promise.resolve(handler(request, response, url)).catch((error: Error) => response.destroy(error));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** What each test of a file finds around it. */
export interface Place {
  /** Its own and empty but for the one file; goes with the test. */
  readonly folder: string;
  /** Path of that file. */
  readonly file: string;
  /** Served last. */
  readonly api: FakeApi;
  /** Starts an API that goes with the test; resolves with the options that lead there. */
  serve(routes: Record<string, Handler>): Promise<string[]>;
}

/** Makes a place anew before each test of the file that calls this, and takes it away after it. */
export function placeOfEachTest(file = { name: 'file', content: '' }): Place {
  let folder: string;
  let apis: FakeApi[] = [];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'ostinato-cli-'));
    writeFileSync(join(folder, file.name), file.content);
  });
  afterEach(async () => {
    for (const api of apis) await api.close();
    apis = [];
    rmSync(folder, { recursive: true });
  });
  return {
    get folder() {
      return folder;
    },
    get file() {
      return join(folder, file.name);
    },
    get api() {
      const api = apis.at(-1);
      if (api === undefined) throw new Error('this test has served nothing');
      return api;
    },
    async serve(routes) {
      const api = await startFakeApi(routes);
      apis.push(api);
      return ['--url', api.url, '--key', KEY];
    },
  };
}

export function json(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

export function problem(
  response: ServerResponse,
  status: number,
  code: string,
  detail: string,
  errors: unknown[] = [],
): void {
  response
    .writeHead(status, { 'content-type': 'application/problem+json' })
    .end(JSON.stringify({ type: `urn:ostinato:problem:${code}`, title: code, status, code, detail, errors }));
}

export async function readBody(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request) text += chunk;
  return JSON.parse(text);
}

/** The parts of a form in their order; the file's bytes are counted, not kept. */
export async function readForm(request: IncomingMessage): Promise<{ parts: [string, string][]; bytes: number }> {
  const parts: [string, string][] = [];
  let bytes = 0;
  const parser = busboy({ headers: request.headers, defParamCharset: 'utf8' });
  parser.on('field', (name, value) => parts.push([name, value]));
  parser.on('file', (name, stream, info) => {
    parts.push([name, info.filename ?? '']);
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
  });
  await new Promise((resolve, reject) => {
    parser.on('close', resolve);
    parser.on('error', reject);
    request.pipe(parser);
  });
  return { parts, bytes };
}

export function fileView(changes: Partial<FileView> = {}): FileView {
  return {
    file_id: FILE_ID,
    workflow_id: 'ingest-7d5cbb7d',
    filename: 'export.zip',
    source_type: 'slack',
    size_bytes: 1536,
    sha256: 'ab'.repeat(32),
    metadata: {},
    status: 'completed',
    phase: 'completed',
    progress: 100,
    total_records: 12,
    records_by_type: { message: 10, user: 2 },
    vector_count: 12,
    error_count: 0,
    errors: [],
    error: null,
    created_at: '2026-03-01T10:00:00.000Z',
    started_at: '2026-03-01T10:00:01.000Z',
    completed_at: '2026-03-01T10:00:03.500Z',
    ...changes,
  };
}

export function accepted(changes: object = {}) {
  const self = `/api/v1/files/${FILE_ID}`;
  return {
    file_id: FILE_ID,
    workflow_id: 'ingest-7d5cbb7d',
    status: 'pending',
    duplicate: false,
    links: {
      self,
      records: `${self}/records`,
      events: `/api/v1/events?file_id=${FILE_ID}`,
      workflow: '/api/v1/workflows/ingest-7d5cbb7d',
    },
    ...changes,
  };
}

export interface Ran {
  exit: number;
  stdout: string;
  stderr: string;
  /** stdout as JSON lines. */
  lines: Record<string, unknown>[];
}

export interface RunOptions {
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** Columns of a terminal; absent: a pipe. */
  terminal?: number;
  signal?: AbortSignal;
  /** Hears what is written while it is. */
  onStdout?(text: string): void;
  /** Another program than the command line. */
  program?(argv: string[], io: Io): Promise<number>;
}

/** One run with nothing of this process's environment; the folder holds no settings. */
export async function runCli(argv: string[], options: RunOptions = {}): Promise<Ran> {
  const stdout = collector(options.onStdout);
  const stderr = collector();
  const terminal = options.terminal === undefined ? {} : { isTTY: true, columns: options.terminal };
  const io: Io = {
    stdin: Readable.from([]),
    stdout: Object.assign(stdout.stream, terminal),
    // Bars are for eyes; a test reads the text around them.
    stderr: stderr.stream,
    env: options.env ?? {},
    cwd: options.cwd ?? '/nonexistent',
    signal: options.signal ?? new AbortController().signal,
    version: '9.9.9',
  };
  const exit = await (options.program ?? run)(argv, io);
  const text = stdout.text();
  return {
    exit,
    stdout: text,
    stderr: stderr.text(),
    get lines() {
      return text
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    },
  };
}

function collector(onText: (text: string) => void = () => {}) {
  const stream = new PassThrough();
  let text = '';
  stream.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8');
    onText(text);
  });
  return { stream, text: () => text };
}
