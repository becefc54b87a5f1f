/** Coming back: from where one was, from the beginning, and when what came in between is gone. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LiveView } from '../../../src/services/events/view.ts';
import { pruneEvents } from '../../../src/stores/events.ts';
import { makeKey, openStand, type Stand } from '../api/stand.ts';
import { readStream } from './sse.ts';
import { connect, type LiveServer, startServer, write } from './stage.ts';

let stand: Stand;
let server: LiveServer;
let token: string;
let owner: string;

beforeAll(async () => {
  stand = await openStand();
  server = await startServer(stand);
  owner = `owner-${randomUUID()}`;
  token = (await makeKey(stand.deps, 'viewer', { principal_id: owner })).key;
});
afterAll(async () => {
  await server.close();
  await stand.close();
});

const marks = (events: { data?: Record<string, unknown> }[]) => events.map(({ data }) => data?.mark);

describe('resume', () => {
  it('goes on after the last event, also when asked only once the server is ready, while others write', async () => {
    const first = await connect(server, { token });
    const before = await write(stand.deps.db, 5, { owner });
    const { seq } = (await first.count(5))[2] ?? {};
    await first.close();
    const missed = await write(stand.deps.db, 5, { owner });
    const again = await connect(server, { token });
    again.send({ type: 'resume', seq });
    const later = await write(stand.deps.db, 5, { owner });
    expect(await again.heard('resumed')).toEqual({ type: 'resumed', after: seq });
    const expected = [...before.slice(3), ...missed, ...later];
    expect(marks(await again.count(expected.length))).toEqual(expected);
    // From the place it said when it was ready, nothing is missing either.
    const third = await connect(server, { token, resume: (await first.heard('ready')).seq });
    const all = [...before, ...missed, ...later];
    expect(marks(await third.count(all.length))).toEqual(all);
    await again.close();
    await third.close();
  });

  it('comes before what is live: the first events wait for a client that has yet to say where it was', async () => {
    const patient = await startServer(stand, { limits: { firstWordMs: 5_000 } });
    const client = await connect(patient, { token });
    const { seq } = await client.heard('ready');
    const written = await write(stand.deps.db, 3, { owner });
    const other = await connect(server, { token, resume: seq });
    await other.count(3);
    expect(client.events()).toEqual([]);
    client.send({ type: 'resume', seq });
    expect(marks(await client.count(3))).toEqual(written);
    await client.close();
    await other.close();
    await patient.close();
  });

  it('may go back again on the same connection', async () => {
    const client = await connect(server, { token });
    const written = await write(stand.deps.db, 3, { owner });
    const [first] = await client.count(3);
    client.send({ type: 'resume', seq: first?.seq });
    expect(marks(await client.count(5))).toEqual([...written, ...written.slice(1)]);
    await client.close();
  });

  it('begins at the oldest with 0, and with a filter gives only what fits', async () => {
    const client = await connect(server, { token });
    const [mark] = await write(stand.deps.db, 1, { owner, name: 'file.uploaded' });
    client.send({ type: 'subscribe', filters: { names: ['file.uploaded'] } });
    client.send({ type: 'resume', seq: '0' });
    expect(marks(await client.count(1))).toEqual([mark]);
    expect(client.messages.some(({ type }) => type === 'resume_gap')).toBe(false);
    await client.close();
  });

  it('tells of a gap when events after the place were pruned, and goes on from the oldest', async () => {
    const client = await connect(server, { token });
    const [old, kept] = [await write(stand.deps.db, 4, { owner }), await write(stand.deps.db, 2, { owner })];
    const events = await client.count(6);
    await client.close();
    const place = (n: number) => events[n]?.seq as string;
    const { db } = stand.deps;
    await db
      .updateTable('event_log')
      .set({ created_at: new Date(0) } as never)
      .where('seq', '<=', place(3).split('-')[1] ?? '')
      .execute();
    expect(await pruneEvents(db, new Date(1_000), 1_000)).toBeGreaterThanOrEqual(4);
    expect(await pruneEvents(db, new Date(1_000), 1_000)).toBe(0);
    const { oldest } = { oldest: place(4) };
    // A server that does not remember more than the database does.
    const fresh = await startServer(stand);
    const late = await connect(fresh, { token, resume: place(1) });
    expect(await late.heard('resume_gap')).toEqual({ type: 'resume_gap', oldest });
    expect(marks(await late.count(2))).toEqual(kept);
    // Whoever had everything up to the last that is gone has missed nothing.
    const inTime = await connect(fresh, { token, resume: place(3) });
    await inTime.heard('resumed');
    expect(marks(await inTime.count(2))).toEqual(kept);
    const [gap, ...rest] = await readStream(fresh, { token, after: place(1), count: 3 });
    expect(gap).toEqual({ seq: '', name: 'resume_gap', data: { oldest } });
    expect(marks(rest)).toEqual(kept);
    const unknown = await connect(fresh, { token, resume: '999999999999-1' });
    expect(await unknown.heard('resume_gap')).toEqual({ type: 'resume_gap', oldest });
    expect(marks(await unknown.count(2))).toEqual(kept);
    expect(old).toHaveLength(4);
    for (const one of [late, inTime, unknown]) await one.close();
    await fresh.close();
  });
});

describe('a reader that is behind', () => {
  it('reads again what it had read ahead when it comes to want more', async () => {
    const forgetful = await startServer(stand, { warm: 0 });
    const begin = await forgetful.hub.head();
    for (const name of ['file.uploaded', 'query.executed', 'file.uploaded', 'query.executed'] as const) {
      await write(stand.deps.db, 1, { owner, name });
    }
    const view: LiveView = { owners: new Set([owner]), resources: new Set(), wanted: [{ names: ['file.uploaded'] }] };
    const reader = forgetful.hub.open(view, begin);
    await reader.more();
    const names = [reader.take()?.name];
    view.wanted = null;
    reader.changed();
    while (names.length < 4 && (await reader.more())) names.push(reader.take()?.name);
    expect(names).toEqual(['file.uploaded', 'query.executed', 'file.uploaded', 'query.executed']);
    reader.close();
    expect(await reader.more()).toBe(false);
    await forgetful.close();
  });
});

describe('a stream', () => {
  it('ends with the key that it was opened with, and others go on', async () => {
    const { key, key_id } = await makeKey(stand.deps, 'viewer', { principal_id: owner });
    const going = readStream(server, { token, count: 2 });
    const ending = readStream(server, { token: key, count: 2 });
    const streams = async () => (await server.metrics.activeStreams.get()).values[0]?.value;
    await expect.poll(streams).toBe(2);
    await server.hub.head();
    await write(stand.deps.db, 1, { owner });
    await stand.deps.db.updateTable('api_keys').set({ revoked_at: new Date() }).where('key_id', '=', key_id).execute();
    expect((await ending).length).toBeLessThan(2);
    await write(stand.deps.db, 1, { owner });
    expect(await going).toHaveLength(2);
  });
});

describe('an outage of the database', () => {
  it('is waited for, and nothing is missing afterwards', async () => {
    const client = await connect(server, { token });
    await write(stand.deps.db, 1, { owner });
    await client.count(1);
    await stand.deps.pool.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
    const written = await write(stand.deps.db, 3, { owner });
    expect(marks((await client.count(4)).slice(1))).toEqual(written);
    await client.close();
  });
});
