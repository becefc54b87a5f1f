/** Steering an ingestion from outside: paused, cancelled, retried, deleted, imported, and found again after a restart. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { slackExportRecords } from '../../samples/slack/export.ts';
import { freePort } from '../../src/local/ports.ts';
import { type System, untilOver, upload } from '../support/system.ts';
import { contents } from '../support/truth.ts';
import {
  deleteFile,
  EVERY_BATCH,
  ended,
  exportOf,
  openStage,
  pauseHeld,
  type Stage,
  sample,
  tellToPause,
  until,
} from './outside.ts';

const MESSAGES = 4_000;

let stage: Stage;
let standIn: { child: ChildProcess; port: number; asked: string[] };
let folder: string;
let content: Uint8Array;
let undisturbed: { contents: ReturnType<typeof contents>; records: number };

const system = (): System => stage.system();
const call = (method: string, path: string, body?: Record<string, unknown>) => system().call(method, path, body);
const get = async (id: string) => (await call('GET', `/api/v1/files/${id}`)).body;

async function bring(name: string, bytes: Uint8Array): Promise<string> {
  const { status, body } = await upload(system(), 'slack', name, bytes);
  expect(status, JSON.stringify(body)).toBe(202);
  return body.file_id;
}

/** A file that is in the middle of its parsing. */
async function midParse(name: string, bytes: Uint8Array): Promise<string> {
  const id = await bring(name, bytes);
  const file = await until(async () => {
    const now = await get(id);
    return now.total_records > 0 && now;
  });
  expect(file.phase).toBe('processing');
  return id;
}

/** What must hold of a paused file: it says so, and a while later it stands where it stood. */
async function staysPaused(id: string): Promise<void> {
  const before = await get(id);
  expect(before.status).toBe('paused');
  const rows = async () =>
    (await stage.rows<{ n: string }>('SELECT count(*) AS n FROM file_records WHERE file_id = $1', [id]))[0]?.n;
  const count = await rows();
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(await get(id)).toEqual(before);
  expect(await rows()).toBe(count);
}

async function nothingLeft(): Promise<void> {
  const { rows, vectors, links } = await stage.truth();
  expect({ rows: rows.size, vectors: vectors.length, links }).toEqual({ rows: 0, vectors: 0, links: 0 });
}

/** Compared as a count and one hash: thousands of lines say no more. */
function digest({ rows, vectors }: ReturnType<typeof contents>) {
  const hash = (lines: string[]) => createHash('sha256').update(lines.join()).digest('hex');
  return { rows: rows.length, vectors: vectors.length, content: hash(rows), indexed: hash(vectors) };
}

async function likeUndisturbed(): Promise<void> {
  expect(digest(contents(await stage.truth()))).toEqual(digest(undisturbed.contents));
}

async function startStandIn(path: string) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'stand-in.ts'), path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const asked: string[] = [];
  const port = await new Promise<number>((resolve) => {
    child.stdout.on('data', (chunk) => {
      for (const line of String(chunk).trim().split('\n')) {
        if (line.startsWith('port ')) resolve(Number(line.slice(5)));
        else asked.push(line);
      }
    });
  });
  return { child, port, asked };
}

beforeAll(async () => {
  content = await exportOf(MESSAGES, 'control');
  folder = mkdtempSync(join(tmpdir(), 'ostinato-stand-in-'));
  writeFileSync(join(folder, 'export.zip'), sample('slack/brightwater-export.zip'));
  standIn = await startStandIn(join(folder, 'export.zip'));
  // Large vectors, so that writing them takes long enough to be paused.
  stage = await openStage({ EMBEDDING_DIMENSIONS: '1024', EGRESS_ALLOW: `127.0.0.1:${standIn.port}` });
  const id = await bring('export.zip', content);
  const file = await untilOver(system(), id);
  expect(file.status).toBe('completed');
  const ids = new Set(
    [...slackExportRecords({ messages: MESSAGES, seed: 'control', days: 10 })].map((r) => r.external_id),
  );
  expect(file.total_records).toBe(ids.size);
  undisturbed = { contents: contents(await stage.truth()), records: ids.size };
  expect(undisturbed.contents.rows).toHaveLength(ids.size);
  await deleteFile(system(), id);
  await nothingLeft();
}, 240_000);
afterAll(async () => {
  await stage?.close();
  if (standIn) await ended(standIn.child);
  if (folder) rmSync(folder, { recursive: true, force: true });
}, 60_000);

// One test that fails must not spoil the next.
afterEach(async () => {
  for (const file of (await call('GET', '/api/v1/files?limit=200')).body.items)
    await deleteFile(system(), file.file_id);
  rmSync(join(stage.where.dataDir, 'objects/orchestra-data-ingestion/imports'), { recursive: true, force: true });
}, 60_000);

describe('pause', () => {
  test('holds an ingestion in both of its long steps; resumed, it ends as an undisturbed one', {
    timeout: 120_000,
  }, async () => {
    const id = await midParse('pause.zip', content);
    const paused = await pauseHeld(stage, id, EVERY_BATCH);
    expect([paused.status, paused.body.status]).toEqual([200, 'paused']);
    // Pausing what is paused changes nothing.
    expect((await call('POST', `/api/v1/files/${id}/pause`)).body.status).toBe('paused');
    await staysPaused(id);
    const held = await get(id);
    expect(held.total_records).toBeLessThan(undisturbed.records);
    expect((await call('POST', `/api/v1/files/${id}/retry`)).status).toBe(409);

    // The record whose vector comes first: parsing passes it by, and writing vectors waits for it.
    const first = `SELECT 1 FROM parsed_content ORDER BY record_id LIMIT 1 FOR UPDATE`;
    const again = await stage.holding(first, async () => {
      const resumed = await call('POST', `/api/v1/files/${id}/resume`);
      expect([resumed.status, resumed.body.status]).toEqual([200, 'processing']);
      expect(resumed.body.progress).toBeGreaterThanOrEqual(held.progress);
      await until(async () => (await get(id)).phase === 'indexing');
      return { paused: await tellToPause(stage, id) };
    });
    expect((await again.paused.answer).body).toMatchObject({ status: 'paused', phase: 'indexing' });
    await staysPaused(id);
    await call('POST', `/api/v1/files/${id}/resume`);

    const file = await untilOver(system(), id);
    expect(file).toMatchObject({
      status: 'completed',
      total_records: undisturbed.records,
      vector_count: undisturbed.records,
    });
    await likeUndisturbed();
    expect((await call('POST', `/api/v1/files/${id}/pause`)).body.code).toBe('conflict');
    await deleteFile(system(), id);
    await nothingLeft();
  });

  test('comes by a signal to the workflow too', { timeout: 60_000 }, async () => {
    const id = await midParse('signal.zip', content);
    const { workflow_id } = await get(id);
    const path = `/api/v1/workflows/${workflow_id}/signal`;
    expect((await call('POST', path, { signal: 'pause' })).status).toBe(202);
    await until(async () => (await get(id)).status === 'paused');
    await staysPaused(id);
    expect((await call('POST', path, { signal: 'explode' })).status).toBe(400);
    expect((await call('POST', path, { signal: 'resume' })).status).toBe(202);
    expect(await untilOver(system(), id)).toMatchObject({ status: 'completed', total_records: undisturbed.records });
    expect((await call('POST', path, { signal: 'pause' })).status).toBe(409);
    await deleteFile(system(), id);
    await nothingLeft();
  });
});

describe('cancel', () => {
  test('takes out what came in; retry brings it in whole', { timeout: 90_000 }, async () => {
    const id = await midParse('cancel.zip', content);
    expect((await call('POST', `/api/v1/files/${id}/cancel`)).status).toBe(200);
    const cancelled = await untilOver(system(), id);
    expect(cancelled).toMatchObject({ status: 'cancelled', total_records: 0, vector_count: 0, error: null });
    await nothingLeft();
    expect((await stage.truth()).objects).toEqual([`uploads/${id}`]);
    const run = await call('GET', `/api/v1/workflows/${cancelled.workflow_id}`);
    expect(run.body.status).toBe('cancelled');

    const retried = await call('POST', `/api/v1/files/${id}/retry`);
    expect(retried.status).toBe(200);
    expect(retried.body.workflow_id).not.toBe(cancelled.workflow_id);
    expect(await untilOver(system(), id)).toMatchObject({ status: 'completed', total_records: undisturbed.records });
    await likeUndisturbed();
    await deleteFile(system(), id);
    await nothingLeft();
  });

  test('ends a paused ingestion as well', { timeout: 60_000 }, async () => {
    const id = await midParse('paused-cancel.zip', content);
    await call('POST', `/api/v1/files/${id}/pause`);
    expect((await call('POST', `/api/v1/files/${id}/cancel`)).status).toBe(200);
    expect(await untilOver(system(), id)).toMatchObject({ status: 'cancelled' });
    await nothingLeft();
    await deleteFile(system(), id);
    expect((await stage.truth()).objects).toEqual([]);
  });
});

describe('failure and deletion', () => {
  test('content that is at fault fails with code and detail; its bytes go and a retry is refused', async () => {
    const id = await bring('bad.json', Buffer.from('[{"nothing":"that Slack exports"}]'));
    const file = await untilOver(system(), id);
    expect(file).toMatchObject({ status: 'failed', total_records: 0, error_count: 1 });
    expect(file.error.code).toBe('malformed');
    expect(file.error.detail).toContain('bad.json line 1');
    expect(file.errors).toMatchObject([{ entry: 'bad.json', line: 1 }]);
    expect((await stage.truth()).objects).toEqual([]);
    const retry = await call('POST', `/api/v1/files/${id}/retry`);
    expect([retry.status, retry.body.code]).toEqual([409, 'conflict']);
    const run = await call('GET', `/api/v1/workflows/${file.workflow_id}`);
    expect(run.body).toMatchObject({ status: 'failed', error: { code: 'malformed' } });
    await deleteFile(system(), id);
  });

  test('deleting in the middle leaves nothing, and the file is gone at once', { timeout: 60_000 }, async () => {
    const id = await midParse('delete.zip', content);
    const { workflow_id } = await get(id);
    const deletion = await call('DELETE', `/api/v1/files/${id}`);
    expect(deletion.status).toBe(202);
    expect((await call('GET', `/api/v1/files/${id}`)).status).toBe(404);
    expect((await call('DELETE', `/api/v1/files/${id}`)).status).toBe(404);
    await until(
      async () => (await call('GET', `/api/v1/workflows/${deletion.body.workflow_id}`)).body.status === 'completed',
    );
    await nothingLeft();
    expect((await stage.truth()).objects).toEqual([]);
    await until(async () => (await call('GET', `/api/v1/workflows/${workflow_id}`)).body.status === 'cancelled');
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await nothingLeft();
  });
});

describe('import', () => {
  const importing = (body: Record<string, unknown>) =>
    call('POST', '/api/v1/files/import', { source_type: 'slack', ...body });
  const address = (path: string) => `http://127.0.0.1:${standIn.port}${path}`;

  test('takes an object key under imports/', async () => {
    const bucket = join(stage.where.dataDir, 'objects/orchestra-data-ingestion/imports/team');
    mkdirSync(bucket, { recursive: true });
    writeFileSync(join(bucket, 'support.json'), sample('slack/support.json'));
    const { status, body } = await importing({ object_key: 'imports/team/support.json' });
    expect(status, JSON.stringify(body)).toBe(202);
    expect(await untilOver(system(), body.file_id)).toMatchObject({
      status: 'completed',
      filename: 'support.json',
      size_bytes: sample('slack/support.json').length,
      total_records: 7,
    });
    expect((await stage.truth()).objects).toEqual(['imports/team/support.json', `uploads/${body.file_id}`]);
    for (const object_key of ['uploads/x', 'imports/../uploads/x', '/etc/passwd', 'imports/']) {
      expect([object_key, (await importing({ object_key })).status]).toEqual([object_key, 400]);
    }
    expect((await importing({ object_key: 'imports/none.json' })).status).toBe(404);

    const again = await importing({ object_key: 'imports/team/support.json' });
    expect(again.status).toBe(202);
    const same = await untilOver(system(), again.body.file_id);
    expect(same).toMatchObject({ status: 'failed', error: { code: 'conflict' } });
    expect(same.error.detail).toContain(body.file_id);
    expect((await stage.truth()).objects).toEqual(['imports/team/support.json', `uploads/${body.file_id}`]);

    // With the first one gone there is no conflict any more.
    await deleteFile(system(), body.file_id);
    expect((await call('POST', `/api/v1/files/${again.body.file_id}/retry`)).status).toBe(200);
    expect(await untilOver(system(), again.body.file_id)).toMatchObject({
      status: 'completed',
      total_records: 7,
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    await deleteFile(system(), again.body.file_id);
    rmSync(join(bucket, 'support.json'));
    await nothingLeft();
  });

  test('gets through a server that is slow, cut off, and broken before it is fine', { timeout: 60_000 }, async () => {
    const { status, body } = await importing({ url: address('/flaky'), filename: 'export.zip' });
    expect(status, JSON.stringify(body)).toBe(202);
    expect(await untilOver(system(), body.file_id)).toMatchObject({ status: 'completed', total_records: 436 });
    expect(standIn.asked.filter((path) => path === '/flaky')).toHaveLength(3);
    await deleteFile(system(), body.file_id);
    await nothingLeft();
    expect((await stage.truth()).objects).toEqual([]);
  });

  test('fails after its tries, says why, and can be tried again', { timeout: 60_000 }, async () => {
    const { body } = await importing({ url: address('/gone'), filename: 'export.zip' });
    const failed = await untilOver(system(), body.file_id);
    expect(failed).toMatchObject({ status: 'failed', error: { code: 'fetch_failed' } });
    expect(failed.error.detail).toMatch(/127\.0\.0\.1:\d+ answered 404/);
    expect((await stage.truth()).objects).toEqual([]);
    const before = standIn.asked.length;
    expect((await call('POST', `/api/v1/files/${body.file_id}/retry`)).status).toBe(200);
    await until(async () => standIn.asked.length > before);
    await call('POST', `/api/v1/files/${body.file_id}/cancel`);
    await untilOver(system(), body.file_id);
    await deleteFile(system(), body.file_id);
  });

  test('a fetch that hangs can be cancelled and tried again', { timeout: 60_000 }, async () => {
    const { body } = await importing({ url: address('/endless') });
    await until(async () => standIn.asked.includes('/endless'));
    expect((await call('POST', `/api/v1/files/${body.file_id}/cancel`)).status).toBe(200);
    expect(await untilOver(system(), body.file_id)).toMatchObject({ status: 'cancelled' });
    expect((await stage.truth()).objects).toEqual([]);
    await deleteFile(system(), body.file_id);
  });

  test.each([
    ['loopback that is not listed', async () => `http://127.0.0.1:${await freePort()}/`],
    ['the host of the metadata service', async () => 'http://169.254.169.254/latest/meta-data/'],
    ['a private address over https', async () => 'https://10.0.0.1/export.zip'],
    ['a redirect to another host', async () => address('/elsewhere')],
  ])('is refused for %s', async (_kind, target) => {
    const { status, body } = await importing({ url: await target() });
    expect(status).toBe(202);
    expect(await untilOver(system(), body.file_id)).toMatchObject({
      status: 'failed',
      error: { code: 'egress_denied' },
    });
    await deleteFile(system(), body.file_id);
    expect((await stage.truth()).objects).toEqual([]);
  });
});

describe('a restart of everything', () => {
  test('leaves a paused file paused and goes on with the others', { timeout: 180_000 }, async () => {
    const paused = await midParse('restart-paused.zip', content);
    await call('POST', `/api/v1/files/${paused}/pause`);
    const held = await get(paused);
    const running = await midParse('restart-running.zip', await exportOf(6_000, 'restart'));
    const seconds = await stage.restart();
    console.log(`second start: ready in ${seconds.toFixed(1)} s`);
    expect(await get(paused)).toEqual(held);
    const ids = (messages: number, seed: string) =>
      new Set([...slackExportRecords({ messages, seed, days: 10 })].map((record) => record.external_id)).size;
    expect(await untilOver(system(), running)).toMatchObject({
      status: 'completed',
      total_records: ids(6_000, 'restart'),
      vector_count: ids(6_000, 'restart'),
    });
    expect((await get(paused)).status).toBe('paused');
    await call('POST', `/api/v1/files/${paused}/resume`);
    expect(await untilOver(system(), paused)).toMatchObject({
      status: 'completed',
      total_records: undisturbed.records,
      vector_count: undisturbed.records,
    });
    await deleteFile(system(), running);
    const truth = await stage.truth();
    expect(truth.rows.size).toBe(undisturbed.records);
    expect(truth.vectors.map(([id]) => id)).toEqual([...truth.rows.keys()].sort());
    await deleteFile(system(), paused);
    await nothingLeft();
  });
});
