/** What the end-to-end tests share: a system whose stores can be read past it, callers, events, other processes. */
import type { ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { slackExport } from '../../samples/slack/export.ts';
import { freePort } from '../../src/local/ports.ts';
import { removeDataDir, type System, startSystem } from '../support/system.ts';
import { embeddedDatabaseUrl, readTruth, type Truth, type Where } from '../support/truth.ts';
import { ended, ROOT, startProcess } from './processes.ts';

export { ended, ROOT } from './processes.ts';

export const SAMPLES = join(ROOT, 'samples/data');
const DIMENSIONS = 64;

export interface Stage {
  /** The system as it runs now; another one after `restart`. */
  system(): System;
  where: Where;
  truth(): Promise<Truth>;
  rows<T extends pg.QueryResultRow>(sql: string, values?: unknown[]): Promise<T[]>;
  /** Runs `work` while a transaction that ran `sql` is open: what it locks holds the system up at that point. */
  holding<T>(sql: string, work: () => Promise<T>): Promise<T>;
  /** Stops every process and starts them again on the same folder; resolves with the seconds until ready. */
  restart(): Promise<number>;
  /** A second API process on the same stores. */
  secondApi(): Promise<{ system: System; stop(): Promise<void> }>;
  /** A second worker process on the same stores; its settings must not let it write vectors. */
  secondWorker(): Promise<ChildProcess>;
  close(): Promise<void>;
}

/** Starts a system of its own. Batches are small, so that something can happen in the middle of a file. */
export async function openStage(env: Record<string, string> = {}): Promise<Stage> {
  const port = await freePort();
  const settings = {
    EMBEDDING_DIMENSIONS: String(DIMENSIONS),
    INGEST_BATCH_RECORDS: '20',
    SERVER_PORT: String(await freePort()),
    POSTGRES_PORT: String(port),
    ...env,
  };
  let system = await startSystem(settings);
  const { dataDir } = system;
  const where = {
    dataDir,
    databaseUrl: embeddedDatabaseUrl(dataDir, port),
    dimensions: Number(settings.EMBEDDING_DIMENSIONS),
  };
  const others: (() => Promise<void>)[] = [];
  return {
    system: () => system,
    where,
    truth: () => readTruth(where),
    async rows(sql, values = []) {
      const client = new pg.Client({ connectionString: where.databaseUrl });
      await client.connect();
      try {
        return (await client.query(sql, values)).rows;
      } finally {
        await client.end();
      }
    },
    async holding(sql, work) {
      const client = new pg.Client({ connectionString: where.databaseUrl });
      await client.connect();
      try {
        await client.query('BEGIN');
        await client.query(sql);
        return await work();
      } finally {
        await client.end();
      }
    },
    async restart() {
      const code = await system.stop();
      if (code !== 0) throw new Error(`the system ended with ${code}:\n${system.output()}`);
      const began = Date.now();
      system = await startSystem(settings, dataDir);
      return (Date.now() - began) / 1000;
    },
    async secondApi() {
      const second = await startApi(system, where, settings);
      others.push(second.stop);
      return second;
    },
    async secondWorker() {
      const child = await startProcess('workers', where, settings);
      others.push(() => ended(child));
      return child;
    },
    async close() {
      for (const stop of others) await stop();
      await system.stop();
      removeDataDir(system);
    },
  };
}

async function startApi(system: System, where: Where, settings: Record<string, string>) {
  const port = await freePort();
  const child = await startProcess('api', where, { ...settings, SERVER_PORT: String(port) });
  return { system: withUrl(system, `http://127.0.0.1:${port}`), stop: () => ended(child) };
}

/** The same system seen with another key. */
export function seenBy(system: System, key: string): System {
  return {
    ...system,
    key,
    call: (method, path, body, headers) =>
      system.call(method, path, body, { ...headers, authorization: `Bearer ${key}` }),
  };
}

function withUrl(system: System, url: string): System {
  return {
    ...system,
    url,
    async call(method, path, body, headers = {}) {
      const json = body !== undefined && Object.getPrototypeOf(body) === Object.prototype;
      const response = await fetch(url + path, {
        method,
        headers: {
          authorization: `Bearer ${system.key}`,
          ...(json ? { 'content-type': 'application/json' } : {}),
          ...headers,
        },
        ...(body === undefined ? {} : { body: json ? JSON.stringify(body) : (body as BodyInit) }),
        signal: AbortSignal.timeout(60_000),
      });
      const text = await response.text();
      const type = response.headers.get('content-type') ?? '';
      return {
        status: response.status,
        body: type.includes('json') ? JSON.parse(text) : text,
        headers: response.headers,
      };
    },
  };
}

/** A new principal of `role`. */
export async function caller(system: System, role: string): Promise<System & { id: string }> {
  const { status, body } = await system.call('POST', '/api/v1/keys', { name: `a ${role}`, role });
  if (status !== 201) throw new Error(`key: ${status} ${JSON.stringify(body)}`);
  return { ...seenBy(system, body.key), id: body.principal_id };
}

export interface SeenEvent {
  id: string;
  name: string;
  data: Record<string, unknown>;
}

/** Reads the event stream from `query` on until `enough`, then hangs up. */
export async function readStream(
  system: System,
  query: string,
  enough: (events: SeenEvent[]) => boolean,
  headers: Record<string, string> = {},
): Promise<SeenEvent[]> {
  const hangUp = new AbortController();
  const signal = AbortSignal.any([hangUp.signal, AbortSignal.timeout(60_000)]);
  const response = await fetch(`${system.url}/api/v1/events${query}`, {
    headers: { authorization: `Bearer ${system.key}`, ...headers },
    signal,
  });
  if (response.status !== 200 || !response.body) throw new Error(`events: ${response.status} ${await response.text()}`);
  const events: SeenEvent[] = [];
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for await (const chunk of response.body) {
      rest += decoder.decode(chunk, { stream: true });
      const blocks = rest.split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) {
        const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
        const data = field('data');
        if (data === undefined) continue;
        events.push({ id: field('id') ?? '', name: field('event') ?? '', data: JSON.parse(data) });
        if (enough(events)) return events;
      }
    }
    throw new Error(`the stream ended after ${events.length} events`);
  } finally {
    hangUp.abort();
  }
}

/** Waits until `look` gives something; rejects after `seconds`. */
export async function until<T>(look: () => Promise<T | undefined | false>, seconds = 60): Promise<T> {
  const giveUpAt = Date.now() + seconds * 1000;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > giveUpAt) throw new Error(`nothing after ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** No batch of any step commits while this is locked. */
export const EVERY_BATCH = 'LOCK TABLE content_versions IN EXCLUSIVE MODE';
/** A step hears that it should stop with its heartbeats, which go out every 2 s and are passed on every 2 s. */
const TOLD_MS = 5_000;

/** Asks for a pause and gives the step the time to hear of it; the answer comes when the step has stopped. */
export async function tellToPause(stage: Stage, fileId: string) {
  const answer = stage.system().call('POST', `/api/v1/files/${fileId}/pause`);
  await new Promise((resolve) => setTimeout(resolve, TOLD_MS));
  return { answer };
}

/** Pauses a file while `sql` holds its step up, so that it is the step that stops and not its end that comes first. */
export async function pauseHeld(stage: Stage, fileId: string, sql: string) {
  return (await stage.holding(sql, () => tellToPause(stage, fileId))).answer;
}

export async function deleteFile(system: System, fileId: string): Promise<void> {
  const { status, body } = await system.call('DELETE', `/api/v1/files/${fileId}`);
  if (status !== 202) throw new Error(`delete: ${status} ${JSON.stringify(body)}`);
  await until(async () => {
    const run = await system.call('GET', `/api/v1/workflows/${body.workflow_id}`);
    return run.body.status === 'completed';
  });
}

export async function exportOf(messages: number, seed: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of slackExport({ messages, seed, days: 10 })) parts.push(part);
  return Buffer.concat(parts);
}

/** A Slack channel-day file of messages with these times and texts. */
export function slackMessages(messages: [ts: string, text: string][]): Uint8Array {
  return Buffer.from(JSON.stringify(messages.map(([ts, text]) => ({ type: 'message', user: 'U0AAAAAAA', ts, text }))));
}

export function sample(path: string): Uint8Array {
  return readFileSync(join(SAMPLES, path));
}

/** Files that are left in the folder of the object store, unfinished ones included. */
export function storedFiles(dataDir: string): string[] {
  const folder = join(dataDir, 'objects');
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}
