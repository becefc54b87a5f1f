/** The API over https: terms, upgrade, plain HTTP on its port, and a certificate that is renewed while it runs. */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { connect as connectPlain } from 'node:net';
import { join } from 'node:path';
import { connect, type PeerCertificate, type SecureVersion, type TLSSocket } from 'node:tls';
import { Hono } from 'hono';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import WebSocket, { WebSocketServer } from 'ws';
import type { ApiEnv } from '../../../src/api/context.ts';
import { securityHeaders } from '../../../src/api/security-headers.ts';
import { listen, type RunningServer, type Upgrade } from '../../../src/api/server.ts';
import { type CertificateWatch, watchCertificate } from '../../../src/api/tls-server.ts';
import { readServerTls } from '../../../src/schema/tls.ts';
import { makeAuthority } from '../../support/authority.ts';

const authority = makeAuthority();
const stranger = makeAuthority('Somebody else');
const first = authority.issue('first');
afterAll(() => {
  authority.remove();
  stranger.remove();
});

let server: RunningServer | undefined;
let watch: CertificateWatch | undefined;
afterEach(async () => {
  watch?.stop();
  watch = undefined;
  await server?.drain(500);
  server = undefined;
});

const ca = readFileSync(authority.ca);

async function open(files = first, upgrade?: Upgrade): Promise<RunningServer> {
  const app = new Hono<ApiEnv>();
  app.use(securityHeaders({ publicUrl: 'https://ostinato.example' }));
  app.get('/', (c) => c.json({ url: c.req.url }));
  app.post('/', async (c) => c.json({ bytes: (await c.req.arrayBuffer()).byteLength }));
  const tls = readServerTls({ TLS_CERT: files.cert, TLS_KEY: files.key });
  server = await listen(app, { port: 0, hostname: '127.0.0.1', tls }, upgrade);
  return server;
}

interface Answer {
  status: number;
  headers: NodeJS.Dict<string | string[]>;
  body: string;
}

function ask(port: number, options: { host?: string; method?: string; body?: Buffer; trusted?: Buffer } = {}) {
  const { host, method = 'GET', body, trusted = ca } = options;
  return new Promise<Answer>((resolve, reject) => {
    const headers = host === undefined ? {} : { host };
    const asked = request(
      { host: '127.0.0.1', port, method, ca: trusted, headers, servername: '', agent: false },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk) => (text += chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
      },
    );
    asked.on('error', reject).end(body);
  });
}

/** What a client of these versions meets: the version agreed on, or the error's code. */
function handshake(port: number, version: SecureVersion): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({
      host: '127.0.0.1',
      port,
      ca,
      minVersion: version,
      maxVersion: version,
      ciphers: 'ALL:@SECLEVEL=0',
    });
    socket.on('secureConnect', () => {
      resolve(socket.getProtocol() ?? '');
      socket.destroy();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(`refused: ${error.code}`));
  });
}

function peer(port: number): Promise<{ certificate: PeerCertificate; socket: TLSSocket }> {
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = connect({ host: '127.0.0.1', port, ca }, () =>
      resolve({ certificate: socket.getPeerCertificate(), socket }),
    );
    socket.on('error', reject);
  });
}

describe('https', () => {
  it('answers requests, large bodies too, and knows its own scheme', async () => {
    const { port } = await open();
    const answer = await ask(port);
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body)).toEqual({ url: `https://127.0.0.1:${port}/` });
    const body = Buffer.alloc(3_000_000, 7);
    expect(JSON.parse((await ask(port, { method: 'POST', body })).body)).toEqual({ bytes: body.length });
  });

  it('tells browsers to stay, but only under a name: never localhost, whose other ports are not ours', async () => {
    const { port } = await open();
    expect((await ask(port, { host: 'ostinato.example' })).headers['strict-transport-security']).toMatch(
      /max-age=\d{7}/,
    );
    for (const host of ['localhost', '127.0.0.1', '10.1.2.3', '[::1]:8080']) {
      expect((await ask(port, { host })).headers['strict-transport-security']).toBeUndefined();
    }
  });

  it('speaks TLS 1.2 and 1.3 and nothing older', async () => {
    const { port } = await open();
    expect(await handshake(port, 'TLSv1.2')).toBe('TLSv1.2');
    expect(await handshake(port, 'TLSv1.3')).toBe('TLSv1.3');
    expect(await handshake(port, 'TLSv1.1')).toMatch(/^refused/);
    expect(await handshake(port, 'TLSv1')).toMatch(/^refused/);
  });

  it('is refused by a client that trusts another authority', async () => {
    const { port } = await open();
    await expect(ask(port, { trusted: readFileSync(stranger.ca) })).rejects.toThrow(/certificate/);
  });

  it('answers plain HTTP on its port with a clear 400', async () => {
    const { port } = await open();
    const answer = await fetch(`http://127.0.0.1:${port}/api/v1/files`);
    expect(answer.status).toBe(400);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(await answer.json()).toMatchObject({ code: 'invalid_input', detail: 'This port speaks https, not http' });
    expect((await ask(port)).status).toBe(200);
  });

  it('closes a plain connection whose client goes on sending', async () => {
    const { port } = await open();
    const talker = connectPlain({ host: '127.0.0.1', port, allowHalfOpen: true });
    talker.on('error', () => {});
    let heard = '';
    talker.on('data', (data) => (heard += data));
    const closed = new Promise<void>((resolve) => talker.once('close', () => resolve()));
    talker.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000000\r\n\r\n');
    const talking = setInterval(() => talker.writable && talker.write(Buffer.alloc(10_000)), 20);
    await closed;
    clearInterval(talking);
    expect(heard).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('carries WebSockets', async () => {
    const sockets = new WebSocketServer({ noServer: true });
    sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(`heard ${data}`)));
    const { port } = await open(first, (incoming, socket, head) =>
      sockets.handleUpgrade(incoming, socket, head, (opened) => sockets.emit('connection', opened)),
    );
    const socket = new WebSocket(`wss://127.0.0.1:${port}/ws`, { ca });
    const answer = await new Promise<string>((resolve, reject) => {
      socket.on('error', reject);
      socket.on('open', () => socket.send('this'));
      socket.on('message', (data) => resolve(String(data)));
    });
    expect(answer).toBe('heard this');
    socket.terminate();
    sockets.close();
  });

  it('ends in time although a connection never came as far as TLS', async () => {
    const { port } = await open();
    const silent = connectPlain({ host: '127.0.0.1', port });
    await new Promise<void>((resolve) => silent.once('connect', () => resolve()));
    const closed = new Promise<void>((resolve) => silent.once('close', () => resolve()));
    silent.on('error', () => {});
    await server?.drain(50);
    server = undefined;
    await closed;
  });
});

describe('renewal', () => {
  it('serves a new certificate after SIGHUP, keeps open connections, and survives a broken file', async () => {
    const files = { cert: join(authority.folder, 'used.pem'), key: join(authority.folder, 'used.key') };
    copyFileSync(first.cert, files.cert);
    copyFileSync(first.key, files.key);
    const { port, renew } = await open(files);
    const log = { info: vi.fn(), error: vi.fn() };
    const config = { TLS_CERT: files.cert, TLS_KEY: files.key };
    const inUse = readServerTls(config);
    if (!inUse) throw new Error('no certificate');
    watch = watchCertificate({ config, inUse, renew, log });
    const before = await peer(port);
    expect(before.certificate.subject.CN).toBe('first');
    expect(watch.check()).toBe(false);

    const second = authority.issue('second');
    writeFileSync(files.cert, readFileSync(second.cert));
    // Half replaced: the key is still the old one.
    expect(watch.check()).toBe(false);
    expect(watch.check()).toBe(false);
    expect(log.error).toHaveBeenCalledTimes(1);
    expect((await peer(port)).certificate.subject.CN).toBe('first');

    writeFileSync(files.key, readFileSync(second.key));
    process.emit('SIGHUP');
    const after = await peer(port);
    expect(after.certificate.subject.CN).toBe('second');
    expect(log.info).toHaveBeenCalledTimes(1);
    // The connection from before goes on.
    const answer = new Promise<string>((resolve) => before.socket.once('data', (data) => resolve(String(data))));
    before.socket.write('GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n');
    expect(await answer).toMatch(/^HTTP\/1\.1 200/);
    after.socket.destroy();
  });
});
