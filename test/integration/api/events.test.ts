/** The event stream on a real database: order, resuming, filters, who sees what, slow readers, draining. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApi } from '../../../src/api/app.ts';
import type { EventName } from '../../../src/schema/names.ts';
import { createEventHub, type EventHub } from '../../../src/services/event-hub.ts';
import { appendEvents } from '../../../src/stores/events.ts';
import { makeKey, openStand, type Stand } from './stand.ts';

let stand: Stand;
let hub: EventHub;
let api: ReturnType<typeof createApi>;
let admin: Record<string, string>;
const drain = new AbortController();

beforeAll(async () => {
  stand = await openStand();
  hub = createEventHub(stand.deps);
  api = createApi({ deps: stand.deps, operations: [], hub, draining: drain.signal, version: '0.0.0' });
  admin = { authorization: `Bearer ${(await makeKey(stand.deps, 'admin')).key}` };
});
afterAll(async () => {
  await hub.close();
  await stand.close();
});

function add(owner: string, count: number, file = randomUUID(), name: EventName = 'processing.progress') {
  return stand.deps.db.transaction().execute((trx) =>
    appendEvents(
      trx,
      Array.from({ length: count }, (_, n) => ({
        name,
        owner,
        resource: `file:${file}`,
        workflow_id: null,
        data: { file_id: file, progress_percent: n, records_processed: n },
        key: `${file}/${name}/${n}/${randomUUID()}`,
      })),
    ),
  );
}

interface Message {
  id: string;
  event: string;
  data: Record<string, unknown>;
}

/** Reads `count` events and leaves. */
async function read(path: string, count: number, headers: Record<string, string> = admin): Promise<Message[]> {
  const leave = new AbortController();
  const response = await api.request(path, { headers, signal: leave.signal });
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
  const messages: Message[] = [];
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
      const id = field('id');
      if (id) messages.push({ id, event: field('event') ?? '', data: JSON.parse(field('data') ?? '{}') });
    }
    if (messages.length >= count) break;
  }
  leave.abort();
  return messages.slice(0, count);
}

describe('GET /api/v1/events', () => {
  it('gives every event once and in order to a reader that leaves and comes back, while writers commit out of order', async () => {
    const file = randomUUID();
    const holder = await stand.deps.pool.connect();
    await holder.query('BEGIN');
    await holder.query('SELECT pg_current_xact_id()');
    const writing = (async () => {
      for (let n = 0; n < 20; n++) await add('ada', 5, file);
      // The oldest transaction writes last.
      await holder.query(
        `INSERT INTO event_log (event_id, name, owner, resource, data) VALUES (gen_random_uuid(), 'file.uploaded', 'ada', $1, '{"late":true}')`,
        [`file:${file}`],
      );
      await holder.query('COMMIT');
      holder.release();
    })();
    const got: Message[] = [];
    let cursor = '0';
    while (got.length < 101) {
      const part = await read(`/api/v1/events?file_id=${file}&after=${cursor}`, Math.min(17, 101 - got.length));
      got.push(...part);
      cursor = part.at(-1)?.id ?? cursor;
    }
    await writing;
    expect(new Set(got.map((message) => message.id)).size).toBe(101);
    expect(got.filter((message) => message.event === 'file.uploaded')).toHaveLength(1);
    const first = got[1];
    expect(first?.data).toEqual({ file_id: file, progress_percent: 0, records_processed: 0 });
  });

  it('begins now unless told, and hears of a commit at once', async () => {
    await add('ada', 3);
    const [first, second] = [randomUUID(), randomUUID()];
    const waiting = read('/api/v1/events', 2);
    setTimeout(() => void add('ada', 1, first), 300);
    setTimeout(() => void add('ada', 1, second), 700);
    expect((await waiting).map((message) => message.data.file_id)).toEqual([first, second]);
  });

  it('shows a caller its own, what it was granted, and nothing else', async () => {
    const [mine, granted, hidden] = [randomUUID(), randomUUID(), randomUUID()];
    const viewer = await makeKey(stand.deps, 'viewer', {
      principal_id: 'vera',
      grants: [
        { resource: 'owner:wim', access: 'read' },
        { resource: `file:${granted}`, access: 'read' },
      ],
    });
    await add('xaver', 1, hidden);
    await add('vera', 1, mine);
    await add('xaver', 1, granted);
    await add('wim', 1);
    const got = await read('/api/v1/events?after=0', 3, { 'x-api-key': viewer.key });
    const files = got.map((message) => message.data.file_id);
    expect(files.slice(0, 2)).toEqual([mine, granted]);
    expect(files).not.toContain(hidden);
  });

  it('filters by name, resumes by Last-Event-ID, and refuses an unreadable cursor', async () => {
    const file = randomUUID();
    await add('ada', 2, file, 'file.uploaded');
    await add('ada', 2, file, 'processing.started');
    const path = `/api/v1/events?after=0&names=processing.started,file.uploaded&file_id=${file}`;
    const all = await read(path, 4);
    expect(all.map((message) => message.event)).toEqual([
      'file.uploaded',
      'file.uploaded',
      'processing.started',
      'processing.started',
    ]);
    const rest = await read(path, 1, { ...admin, 'last-event-id': all[2]?.id ?? '' });
    expect(rest[0]?.id).toBe(all[3]?.id);
    expect((await api.request('/api/v1/events?after=yesterday', { headers: admin })).status).toBe(400);
    expect((await api.request('/api/v1/events?names=nothing', { headers: admin })).status).toBe(400);
  });

  it('drops a reader that takes nothing', async () => {
    const quick = createApi({
      deps: stand.deps,
      operations: [],
      hub,
      draining: drain.signal,
      version: '0.0.0',
      slowReaderMs: 100,
    });
    const file = randomUUID();
    await add('ada', 500, file);
    const response = await quick.request(`/api/v1/events?after=0&file_id=${file}`, { headers: admin });
    await expect
      .poll(async () => (await stand.deps.metrics.activeStreams.get()).values[0]?.value, { timeout: 10_000 })
      .toBe(0);
    await expect(response.text()).rejects.toThrow();
  });

  it('goes on after the connection to the database was cut', async () => {
    const file = randomUUID();
    const waiting = read(`/api/v1/events?file_id=${file}`, 2);
    await new Promise((resolve) => setTimeout(resolve, 200));
    await stand.deps.pool.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ostinato-events' AND datname = current_database()`,
    );
    await add('ada', 2, file);
    expect(await waiting).toHaveLength(2);
  });

  it('ends every stream when the server drains', async () => {
    const response = await api.request('/api/v1/events', { headers: admin });
    drain.abort();
    expect(await response.text()).toContain('retry:');
  });
});
