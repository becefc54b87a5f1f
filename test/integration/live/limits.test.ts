/** How many sockets there may be, how slow and how silent, and what happens to them at the end. */
import { connect as connectTcp, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { makeKey, openStand, type Stand } from '../api/stand.ts';
import {
  type Client,
  connect,
  type LiveServer,
  type LiveServerOptions,
  metric,
  Refused,
  startServer,
  write,
} from './stage.ts';

let stand: Stand;
let admin: string;
const running: LiveServer[] = [];

beforeAll(async () => {
  stand = await openStand();
  admin = (await makeKey(stand.deps, 'admin')).key;
});
// Connections are counted over all servers of one database.
afterEach(() => Promise.all(running.splice(0).map((server) => server.close())));
afterAll(() => stand.close());

async function serve(options: LiveServerOptions): Promise<LiveServer> {
  const server = await startServer(stand, options);
  running.push(server);
  return server;
}

/** A socket that speaks WebSocket by hand: signed in, and from then on read only when told. */
async function raw(server: LiveServer, token: string): Promise<Socket> {
  const socket = connectTcp(server.port, '127.0.0.1');
  socket.on('error', () => {});
  const key = Buffer.alloc(16, 7).toString('base64');
  socket.write(
    `GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
  );
  let heard = '';
  const hear = (data: Buffer) => (heard += data.toString('latin1'));
  socket.on('data', hear);
  await expect.poll(() => heard).toContain('101 Switching');
  socket.write(frame(JSON.stringify({ type: 'auth', token })));
  await expect.poll(() => heard).toContain('"ready"');
  socket.off('data', hear);
  socket.pause();
  return socket;
}

/** A masked text frame with a mask of zeros. */
function frame(text: string): Buffer {
  const payload = Buffer.from(text);
  const length =
    payload.length < 126 ? [0x80 | payload.length] : [0x80 | 126, payload.length >> 8, payload.length & 0xff];
  return Buffer.concat([Buffer.from([0x81, ...length, 0, 0, 0, 0]), payload]);
}

const open = (server: LiveServer) => metric(server.metrics.openSockets);

describe('connections', () => {
  it('are limited per caller; one that leaves makes room, and others are not touched', async () => {
    const server = await serve({ env: { WS_MAX_PER_CALLER: 2 } });
    const ada = await makeKey(stand.deps, 'viewer', { principal_id: 'ada' });
    const again = await makeKey(stand.deps, 'viewer', { principal_id: 'ada' });
    const first = await connect(server, { token: ada.key });
    await connect(server, { token: again.key });
    const third = await connect(server);
    third.send({ type: 'auth', token: ada.key });
    expect((await third.closed).code).toBe(4429);
    await (await connect(server, { token: admin })).close();
    await first.close();
    await expect.poll(() => open(server)).toBe(1);
    await (await connect(server, { token: ada.key })).close();
  });

  it('are limited in all: 503 at the upgrade', async () => {
    const server = await serve({ env: { WS_MAX_CONNECTIONS: 3 } });
    const clients = await Promise.all([1, 2, 3].map(() => connect(server, { token: admin }).catch((error) => error)));
    // Some came while others were not signed in yet, and were asked to come back.
    const held = clients.filter((client) => !(client instanceof Refused)) as Client[];
    while (held.length < 3) held.push(await connect(server, { token: admin }));
    await expect(connect(server)).rejects.toEqual(new Refused(503));
    await held[0]?.close();
    await expect.poll(() => open(server)).toBe(2);
    await (await connect(server, { token: admin })).close();
  });

  it('make way for others when they do not sign in', async () => {
    const server = await serve({ env: { WS_MAX_CONNECTIONS: 4 }, limits: { authMs: 60_000 } });
    const silent = [await connect(server), await connect(server)];
    await expect(connect(server)).rejects.toEqual(new Refused(503));
    let next: Client | undefined;
    const tryAgain = async () => {
      next ??= await connect(server, { token: admin }).catch(() => undefined);
      return next !== undefined;
    };
    await expect.poll(tryAgain, { timeout: 5_000 }).toBe(true);
    expect((await silent[0]?.closed)?.code).toBe(4401);
    expect(silent[1]?.ws.readyState).toBe(silent[1]?.ws.OPEN);
    await next?.close();
  });

  it('make way without answering the close too', async () => {
    const server = await serve({ env: { WS_MAX_CONNECTIONS: 2 }, limits: { authMs: 60_000, lingerMs: 60_000 } });
    const deaf = await connect(server);
    deaf.ws.pause();
    let next: Client | undefined;
    const tryAgain = async () => {
      next ??= await connect(server, { token: admin }).catch(() => undefined);
      return next !== undefined;
    };
    await expect.poll(tryAgain, { timeout: 8_000 }).toBe(true);
    expect(await open(server)).toBe(1);
    deaf.ws.terminate();
    await next?.close();
  });
});

describe('a reader that takes nothing', () => {
  it('is closed 4008 after a while, with little held for it, and the others hear everything', async () => {
    const server = await serve({ limits: { slowMs: 500, lingerMs: 300 } });
    const owner = 'slow-one';
    const { key } = await makeKey(stand.deps, 'viewer', { principal_id: owner });
    const good = await connect(server, { token: key });
    const stuck = await raw(server, key);
    const ended = new Promise((resolve) => stuck.once('close', resolve));
    const padding = 'x'.repeat(50_000);
    let written = 0;
    // 50 MB, far more than the system takes in between.
    while (written < 1_000) written += (await write(stand.deps.db, 50, { owner, data: { padding } })).length;
    expect(await good.count(written)).toHaveLength(written);
    await expect.poll(() => metric(server.metrics.socketCloses, 4008), { timeout: 10_000 }).toBe(1);
    // What the system's own buffers took, and hardly more: most was never handed over.
    expect((await metric(server.metrics.socketFrames)) - written).toBeLessThan(written / 2);
    await expect.poll(() => open(server)).toBe(1);
    stuck.resume();
    await ended;
    await good.close();
  });
});

describe('pings', () => {
  it('find peers that are gone and leave those that answer', async () => {
    // Long enough for one that is there to answer on a busy machine.
    const server = await serve({ limits: { heartbeatMs: 600, lingerMs: 100 } });
    const good = await connect(server, { token: admin });
    const gone = await raw(server, admin);
    let pings = 0;
    good.ws.on('ping', () => (pings += 1));
    await expect.poll(() => metric(server.metrics.socketCloses, 4408), { timeout: 10_000 }).toBe(1);
    await expect.poll(() => pings, { timeout: 10_000 }).toBeGreaterThan(3);
    expect(good.ws.readyState).toBe(good.ws.OPEN);
    expect(await open(server)).toBe(1);
    gone.destroy();
    await good.close();
  });
});

describe('draining', () => {
  it('closes every socket with 1001 and opens no more', async () => {
    const server = await startServer(stand);
    const [signedIn, anonymous] = [await connect(server, { token: admin }), await connect(server)];
    const stuck = await raw(server, admin);
    const closing = server.close();
    expect((await signedIn.closed).code).toBe(1001);
    expect((await anonymous.closed).code).toBe(1001);
    await closing;
    await expect.poll(() => metric(server.metrics.socketCloses, 1001)).toBe(3);
    stuck.destroy();
  });
});

describe('a thousand sockets', () => {
  it('all hear the one event', { timeout: 60_000 }, async () => {
    const server = await serve({ env: { WS_MAX_PER_CALLER: 1_000, WS_MAX_CONNECTIONS: 2_000 } });
    const clients: Client[] = [];
    while (clients.length < 1_000) {
      clients.push(...(await Promise.all(Array.from({ length: 100 }, () => connect(server, { token: admin })))));
    }
    expect(await open(server)).toBe(1_000);
    const [mark] = await write(stand.deps.db, 1);
    const heard = await Promise.all(clients.map((client) => client.count(1)));
    expect(heard.filter(([event]) => event?.data.mark === mark)).toHaveLength(1_000);
    expect(await metric(server.metrics.socketFrames)).toBe(1_000);
    // Gone without a word, as when a network breaks.
    for (const client of clients) client.ws.terminate();
    await expect.poll(() => open(server)).toBe(0);
    expect(await metric(server.metrics.socketCloses, 1006)).toBe(1_000);
  });
});
