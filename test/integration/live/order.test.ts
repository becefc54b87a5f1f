/** Every event reaches every reader exactly once and in order, whatever the order of commits and wherever readers come and go. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeKey, openStand, type Stand } from '../api/stand.ts';
import { readStream, type SseEvent } from './sse.ts';
import { connect, type LiveServer, type Message, startServer, write } from './stage.ts';

let stand: Stand;
/** Two processes as far as the database can tell, and one that forgets at once. */
let servers: [LiveServer, LiveServer, LiveServer];

beforeAll(async () => {
  stand = await openStand({}, { RATE_LIMIT_READ: '0' });
  servers = [
    await startServer(stand),
    await startServer(stand),
    await startServer(stand, { ring: { events: 5, bytes: 1_000_000 }, warm: 0, limits: { bufferBytes: 0 } }),
  ];
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()));
  await stand.close();
});

async function viewer(): Promise<{ token: string; owner: string }> {
  const owner = `owner-${randomUUID()}`;
  const { key } = await makeKey(stand.deps, 'viewer', { principal_id: owner });
  return { token: key, owner };
}

/** What the log holds, in its order. */
async function logged(owner: string): Promise<string[]> {
  const rows = await stand.deps.db
    .selectFrom('event_log')
    .select(['xid', 'seq'])
    .where('owner', '=', owner)
    .orderBy('xid')
    .orderBy('seq')
    .execute();
  return rows.map(({ xid, seq }) => `${xid}-${seq}`);
}

const seqs = (events: readonly { seq?: string }[]) => events.map(({ seq }) => seq);

describe('two transactions that overlap', () => {
  it('are told in the order of the log, the late one first, on every server and both ways', async () => {
    const { token, owner } = await viewer();
    const clients = await Promise.all(servers.map((server) => connect(server, { token })));
    const streams = servers.map((server) => readStream(server, { token, count: 2 }));
    // The streams begin now: all of them stand before the first event is written.
    await expect
      .poll(async () =>
        (await Promise.all(servers.map((s) => s.metrics.activeStreams.get()))).map((g) => g.values[0]?.value),
      )
      .toEqual([1, 1, 1]);
    await Promise.all(servers.map((server) => server.hub.head()));
    const early = await stand.deps.db.startTransaction().execute();
    await write(early, 0);
    await early.selectNoFrom((eb) => eb.fn<string>('pg_current_xact_id').as('xid')).execute();
    await stand.deps.db.transaction().execute((trx) => write(trx, 1, { owner, data: { commit: 'first' } }));
    await sleep(300);
    expect(clients.map((client) => client.events().length)).toEqual([0, 0, 0]);
    await write(early, 1, { owner, data: { commit: 'second' } });
    await early.commit().execute();
    for (const client of clients) {
      const events = await client.count(2);
      expect(events.map(({ data }) => data.commit)).toEqual(['second', 'first']);
      await client.close();
    }
    for (const stream of streams) {
      expect((await stream).map(({ data }) => data.commit)).toEqual(['second', 'first']);
    }
  });
});

describe('a server that starts while a transaction is open', () => {
  it('waits for it without asking again and again, and tells its events first', async () => {
    const { token, owner } = await viewer();
    const early = await stand.deps.db.startTransaction().execute();
    await write(early, 1, { owner, data: { commit: 'second' } });
    await write(stand.deps.db, 1, { owner, data: { commit: 'first' } });
    const server = await startServer(stand, { warm: 0 });
    const client = await connect(server, { token, resume: '0' });
    await client.heard('resumed');
    let asked = 0;
    const count = () => (asked += 1);
    stand.deps.pool.on('acquire', count);
    await sleep(500);
    stand.deps.pool.off('acquire', count);
    expect(asked).toBeLessThan(60);
    await early.commit().execute();
    expect((await client.count(2)).map(({ data }) => data.commit)).toEqual(['second', 'first']);
    await client.close();
    await server.close();
  });
});

const WRITERS = 8;
const TRANSACTIONS = 25;
/** So much that sockets which are not read fill up. */
const padding = 'x'.repeat(40_000);

/** Writers whose transactions overlap, commit out of order, and sometimes roll back. */
async function writeALot(owner: string): Promise<void> {
  const writer = async () => {
    for (let n = 0; n < TRANSACTIONS; n++) {
      const trx = await stand.deps.db.startTransaction().execute();
      await write(trx, 1 + Math.floor(Math.random() * 3), { owner, data: { padding } });
      await sleep(Math.random() * 15);
      if (Math.random() < 0.5) await write(trx, 1, { owner });
      if (Math.random() < 0.1) await trx.rollback().execute();
      else await trx.commit().execute();
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, writer));
}

describe('many writers', () => {
  it('are heard once and in order by readers that stay, that come back elsewhere, and that fall behind', async () => {
    const { token, owner } = await viewer();
    const [first, ...others] = await Promise.all(servers.map((server) => connect(server, { token })));
    const staying = first ? [first, ...others] : [];
    const start = (await first?.heard('ready'))?.seq as string;
    const asleep = await Promise.all(servers.map((server) => connect(server, { token })));
    for (const { ws } of asleep) ws.pause();
    /** How many there are in the end; until all is written nobody has enough. */
    let total = Number.POSITIVE_INFINITY;

    /** Leaves when it has heard a few, or soon, and goes on at the next server. */
    async function wander<T extends { seq?: string }>(
      hear: (at: LiveServer, after: string) => Promise<T[]>,
    ): Promise<T[]> {
      const got: T[] = [];
      for (let n = 0; got.length < total; n++) {
        got.push(...(await hear(servers[n % 3] as LiveServer, got.at(-1)?.seq ?? start)));
      }
      return got;
    }
    const walking = wander<Message>(async (server, after) => {
      const client = await connect(server, { token, resume: after });
      await Promise.race([client.count(1 + Math.floor(Math.random() * 10)).catch(() => {}), sleep(50)]);
      await client.close();
      return client.events();
    });
    const streaming = wander<SseEvent>((server, after) =>
      readStream(server, { token, after, count: 1 + Math.floor(Math.random() * 10), leaveAfterMs: 50 }),
    );
    await writeALot(owner);
    const truth = await logged(owner);
    total = truth.length;
    expect(total).toBeGreaterThan(WRITERS * TRANSACTIONS);
    for (const client of staying) expect(seqs(await client.count(total))).toEqual(truth);
    expect(seqs(await walking)).toEqual(truth);
    expect(seqs(await streaming)).toEqual(truth);
    for (const client of asleep) {
      expect(client.events().length).toBeLessThan(total);
      client.ws.resume();
      expect(seqs(await client.count(total))).toEqual(truth);
    }
    await Promise.all([...staying, ...asleep].map((client) => client.close()));
  });
});
