/** Sockets and event streams of all processes under one limit, of a caller and in all. */
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { createLog } from '../../../src/logging.ts';
import { type Connections, createConnections, type Place } from '../../../src/services/limits/connections.ts';
import type { Db } from '../../../src/stores/database.ts';
import { makeKey, openStand, type Stand } from '../api/stand.ts';
import { connect, type LiveServer, Refused, startServer } from '../live/stage.ts';

let stand: Stand;
const running: { close(): Promise<void> }[] = [];
beforeAll(async () => {
  stand = await openStand();
});
afterEach(() => Promise.all(running.splice(0).map((one) => one.close())));
afterAll(() => stand.close());

/** As a process of its own would count. */
function count(limits: { most?: number; perCaller?: number; leaseMs?: number; db?: Db }): Connections {
  const made = createConnections({
    db: limits.db ?? stand.deps.db,
    log: createLog('silent', 'test'),
    config: { WS_MAX_CONNECTIONS: limits.most ?? 1_000, WS_MAX_PER_CALLER: limits.perCaller ?? 1_000 },
    ...(limits.leaseMs === undefined ? {} : { leaseMs: limits.leaseMs }),
  });
  running.push(made);
  return made;
}

const codeOf = (taking: Promise<unknown>) =>
  taking.then(
    () => 'ok',
    (error) => error.code,
  );
const tally = (codes: string[]) => Object.groupBy(codes, (code) => code);

async function serve(env: Record<string, number>): Promise<LiveServer> {
  const server = await startServer(stand, { env });
  running.push(server);
  return server;
}

/** Opens an event stream; `leave` closes it. */
async function stream({ port }: LiveServer, token: string) {
  const leaving = new AbortController();
  const answer = await fetch(`http://127.0.0.1:${port}/api/v1/events`, {
    headers: { authorization: `Bearer ${token}` },
    signal: leaving.signal,
  });
  return { answer, leave: () => leaving.abort() };
}

it('sockets and streams of a caller share its limit through two servers, and others are not touched', async () => {
  const [one, two] = [await serve({ WS_MAX_PER_CALLER: 3 }), await serve({ WS_MAX_PER_CALLER: 3 })];
  const { key } = await makeKey(stand.deps, 'viewer', { principal_id: 'ada' });
  const again = await makeKey(stand.deps, 'viewer', { principal_id: 'ada' });
  const streams = [await stream(one, key), await stream(two, again.key)];
  const socket = await connect(two, { token: key });
  for (const server of [one, two]) {
    const { answer } = await stream(server, key);
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([429, '5']);
    expect(await answer.json()).toMatchObject({ code: 'too_many_requests' });
    const late = await connect(server);
    late.send({ type: 'auth', token: key });
    expect((await late.closed).code).toBe(4429);
    expect(late.messages[0]).toMatchObject({ type: 'problem', code: 'too_many_requests' });
  }
  await (await connect(one, { token: (await makeKey(stand.deps, 'viewer')).key })).close();
  streams[0]?.leave();
  let freed: Awaited<ReturnType<typeof stream>> | undefined;
  await expect
    .poll(async () => {
      freed = await stream(two, key);
      return freed.answer.status;
    })
    .toBe(200);
  for (const { leave } of [...streams, ...(freed ? [freed] : [])]) leave();
  await socket.close();
});

it('all of them are limited together: 503 for a socket and for a stream', async () => {
  const [one, two] = [await serve({ WS_MAX_CONNECTIONS: 4 }), await serve({ WS_MAX_CONNECTIONS: 4 })];
  const { key } = await makeKey(stand.deps, 'viewer');
  const sockets = [await connect(one, { token: key }), await connect(two, { token: key })];
  const streams = [await stream(one, key), await stream(two, key)];
  for (const server of [one, two]) {
    await expect(connect(server)).rejects.toEqual(new Refused(503));
    const { answer } = await stream(server, key);
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5']);
    expect(await answer.json()).toMatchObject({ code: 'unavailable' });
  }
  await sockets[0]?.close();
  await expect.poll(() => codeOf(connect(two).then((client) => client.close()))).toBe('ok');
  for (const { leave } of streams) leave();
  await sockets[1]?.close();
});

it('is exact when three processes take at once, and a thousand take a few turns with the database', async () => {
  let turns = 0;
  const counted = stand.deps.db.withPlugin({
    transformQuery: ({ node }) => {
      turns += JSON.stringify(node).includes('pg_advisory_xact_lock') ? 1 : 0;
      return node;
    },
    transformResult: async ({ result }) => result,
  });
  const caller = randomUUID();
  const processes = [1, 2, 3].map(() => count({ perCaller: 500, most: 100_000, db: counted }));
  const codes = await Promise.all(
    Array.from({ length: 1_200 }, (_, n) => codeOf((processes[n % 3] as Connections).take(caller))),
  );
  expect(tally(codes).ok).toHaveLength(500);
  expect(tally(codes).too_many_requests).toHaveLength(700);
  expect(turns).toBeLessThan(20);
  const all = await Promise.all(Array.from({ length: 30 }, () => codeOf(count({ most: 510 }).take(null))));
  expect(tally(all).ok).toHaveLength(10);
  expect(tally(all).unavailable).toHaveLength(20);
});

it('what a dead process held is free when its lease is over; a living one keeps its own', async () => {
  const caller = randomUUID();
  const [dead, living] = [count({ perCaller: 2, leaseMs: 300 }), count({ perCaller: 2, leaseMs: 300 })];
  await living.take(caller);
  // Never renewed and never given back, as by a process that was killed.
  const gone = randomUUID();
  await sql`INSERT INTO live_processes VALUES (${gone}, clock_timestamp() + interval '1 second', 1, 0)`.execute(
    stand.deps.db,
  );
  await sql`INSERT INTO live_holdings VALUES (${gone}, ${caller}, 1)`.execute(stand.deps.db);
  expect(await codeOf(dead.take(caller))).toBe('too_many_requests');
  await expect.poll(() => codeOf(dead.take(caller)), { timeout: 5_000 }).toBe('ok');
  // The living one's first lease is long over by now.
  expect(await codeOf(dead.take(caller))).toBe('too_many_requests');
});

it('what the database forgot in a crash of its own is written anew with the next renewal', async () => {
  const caller = randomUUID();
  const holder = count({ leaseMs: 300 });
  await holder.take(caller);
  await holder.take(caller);
  await sql`TRUNCATE live_processes CASCADE`.execute(stand.deps.db);
  const held = () => stand.deps.db.selectFrom('live_holdings').select('held').where('caller', '=', caller).execute();
  await expect.poll(held, { timeout: 5_000 }).toEqual([{ held: 2 }]);
});

it('each process counts for itself while the database is away, and tells the others afterwards', async () => {
  const caller = randomUUID();
  let isAway = false;
  const db = stand.deps.db.withPlugin({
    transformQuery: ({ node }) => {
      if (isAway) throw new Error('the database is away');
      return node;
    },
    transformResult: async ({ result }) => result,
  });
  const [cut, other] = [count({ perCaller: 2, leaseMs: 300, db }), count({ perCaller: 2 })];
  isAway = true;
  const codes = [await codeOf(cut.take(caller)), await codeOf(cut.take(caller)), await codeOf(cut.take(caller))];
  expect(codes).toEqual(['ok', 'ok', 'too_many_requests']);
  isAway = false;
  const heard = async () => {
    const place = await other.take(caller).catch(() => null);
    place?.release();
    return place === null;
  };
  await expect.poll(heard, { timeout: 5_000 }).toBe(true);
});

it('a place that is given back twice is given back once, and one that ends without its name is free', async () => {
  const caller = randomUUID();
  const one = count({ perCaller: 1 });
  const place = await one.take(null);
  const naming = place.nameCaller(caller);
  place.release();
  place.release();
  await naming;
  const next = await one.take(caller);
  expect(await codeOf(one.take(caller))).toBe('too_many_requests');
  next.release();
  expect(await codeOf(one.take(caller))).toBe('ok');
});

it('of those that nobody signed in over all processes there are half at most; callers with a name find room', async () => {
  const processes = Array.from({ length: 4 }, () => count({ most: 40 }));
  const last = processes[3] as Connections;
  const taken: number[] = [];
  const places: Place[] = [];
  for (const one of processes) {
    const takings = await Promise.allSettled(Array.from({ length: 40 }, () => one.take(null)));
    const got = takings.flatMap((taking) => (taking.status === 'fulfilled' ? [taking.value] : []));
    places.push(...got);
    taken.push(got.length);
  }
  // None takes it all: whom the next is asked for finds a little left.
  expect(taken).toEqual([16, 4, 0, 0]);
  const named = await Promise.all(
    Array.from({ length: 25 }, (_, n) => codeOf((processes[n % 4] as Connections).take(`named-${n}`))),
  );
  expect(tally(named)).toEqual({ ok: Array(20).fill('ok'), unavailable: Array(5).fill('unavailable') });
  // One that signs in is nameless no more, though its place is taken still.
  await places[0]?.nameCaller('signed-in');
  places[1]?.release();
  await expect.poll(() => codeOf(last.take(null))).toBe('ok');
  expect(await codeOf(last.take('another'))).toBe('unavailable');
});

it('two servers full of sockets that do not sign in let a caller in', async () => {
  const servers = [await serve({ WS_MAX_CONNECTIONS: 8 }), await serve({ WS_MAX_CONNECTIONS: 8 })];
  const { key } = await makeKey(stand.deps, 'viewer');
  const silent = await Promise.all(
    Array.from({ length: 16 }, (_, n) => connect(servers[n % 2] as LiveServer).catch(() => null)),
  );
  const held = silent.filter((client) => client !== null);
  expect(held.length).toBeGreaterThan(1);
  expect(held.length).toBeLessThanOrEqual(4);
  for (const server of servers) {
    const { answer, leave } = await stream(server, key);
    expect(answer.status).toBe(200);
    leave();
  }
  for (const client of held) await client.close();
});

it('a process that stops in the middle of a settlement holds up neither the others nor itself for long', async () => {
  const caller = randomUUID();
  const going = Promise.withResolvers<void>();
  const stopping = Promise.withResolvers<void>();
  let stops = false;
  const db = stand.deps.db.withPlugin({
    transformQuery: ({ node }) => node,
    transformResult: async ({ result }) => {
      if (stops && result.rows.some((row) => 'nameless' in row)) {
        stopping.resolve();
        await going.promise;
      }
      return result;
    },
  });
  const [stopped, other] = [count({ perCaller: 3, db }), count({ perCaller: 3, leaseMs: 3_000 })];
  await stopped.take(caller);
  stops = true;
  const taking = codeOf(stopped.take(caller));
  await stopping.promise;
  // The lock is held: the other one counts for itself after a while, and so does the one that stopped.
  expect(await codeOf(other.take(caller))).toBe('ok');
  expect(await taking).toBe('ok');
  await stopped.take(caller);
  expect(await codeOf(stopped.take(caller))).toBe('too_many_requests');
  const isLocked = async () => {
    const locks = await sql`SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 5711863`.execute(
      stand.deps.db,
    );
    return locks.rows.length > 0;
  };
  await expect.poll(isLocked, { timeout: 8_000 }).toBe(false);
  await other.close();
  stops = false;
  going.resolve();
  const late = count({ perCaller: 3 });
  // What was decided apart is told as soon as both are back.
  const heard = async () => {
    await stopped.take(randomUUID());
    return codeOf(late.take(caller).then((place) => place.release()));
  };
  await expect.poll(heard, { timeout: 5_000 }).toBe('too_many_requests');
});
