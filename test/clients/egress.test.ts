/** The egress guard: what it refuses, with names that lie, and what it lets through, within its limits. */
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo, LookupFunction } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createEgress, type EgressOptions } from '../../src/clients/egress.ts';
import { egressRules } from '../../src/clients/egress-rules.ts';

let server: Server;
let port: number;
let hits: string[] = [];
const routes: Record<string, RequestListener> = {
  '/ok': (_request, response) => response.setHeader('x-kind', 'plain').end('hello'),
  '/teapot': (_request, response) => response.writeHead(418).end('a private body'),
  '/large': (_request, response) => response.end(Buffer.alloc(100_000)),
  '/endless': (_request, response) => {
    const timer = setInterval(() => response.write(Buffer.alloc(1_000)), 5);
    response.on('close', () => clearInterval(timer));
  },
  '/silent': () => undefined,
  '/broken': (request, response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('half', () => request.socket.destroy());
  },
  '/loop': (_request, response) => response.writeHead(302, { location: '/loop' }).end(),
  '/once': (_request, response) => response.writeHead(301, { location: '/ok' }).end(),
  '/away': (_request, response) => response.writeHead(302, { location: 'http://other.test/ok' }).end(),
  '/file': (_request, response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
  '/echo': async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    response.end(`${request.method} ${request.headers['x-token']} ${Buffer.concat(chunks)}`);
  },
};

beforeAll(async () => {
  server = createServer((request, response) => {
    hits.push(request.url ?? '');
    (routes[request.url ?? ''] ?? routes['/teapot'])?.(request, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

/** A name server that gives `answers` one after the other, the last one for good. */
function resolver(...answers: string[][]): LookupFunction {
  let asked = 0;
  return (_hostname, _options, callback) => {
    const addresses = answers[Math.min(asked, answers.length - 1)] ?? [];
    asked += 1;
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
  };
}

function open(options: Partial<EgressOptions> = {}) {
  return createEgress({ allow: [], maxBytes: 10_000, timeoutMs: 5_000, ...options });
}

describe('refuses', () => {
  const hidden = [
    '127.0.0.1',
    '127.9.9.9',
    '0.0.0.0',
    '10.1.2.3',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '240.0.0.1',
    '198.18.0.1',
    '192.0.0.192',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:10.0.0.1',
    '::ffff:7f00:1',
    '::127.0.0.1',
    'fe80::1',
    'fc00::1',
    'fd00:ec2::254',
    'fec0::1',
    'ff02::1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    '2001:db8::1',
  ];

  test.each(hidden)('the address %s, written out and as the answer to a name', async (address) => {
    const literal = address.includes(':') ? `[${address}]` : address;
    const denied = { code: 'egress_denied' };
    const egress = open({ lookup: resolver([address]) });
    await expect(egress.fetch(`http://${literal}:${port}/ok`)).rejects.toMatchObject(denied);
    await expect(egress.fetch(`https://${literal}/ok`)).rejects.toMatchObject(denied);
    await expect(egress.fetch(`http://name.test:${port}/ok`)).rejects.toMatchObject(denied);
    await expect(egress.fetch(`http://name.test:${port}/ok`)).rejects.toThrow('name.test');
    await egress.close();
  });

  test.each(['http://2130706433/', 'http://0x7f.1/', 'http://0177.0.0.1/', 'http://127.1/', 'http://127.0.0.1./'])(
    'other spellings of loopback: %s',
    async (url) => {
      await expect(open().fetch(url)).rejects.toMatchObject({ code: 'egress_denied' });
    },
  );

  test('a name with one public and one private address', async () => {
    const egress = open({ lookup: resolver(['93.184.216.34', '127.0.0.1']) });
    await expect(egress.fetch(`http://mixed.test:${port}/ok`)).rejects.toMatchObject({ code: 'egress_denied' });
  });

  test('a name that answers differently the second time: each connection uses the answer that was checked', async () => {
    const egress = open({ lookup: resolver(['127.0.0.1']), allow: ['first.test'] });
    hits = [];
    await egress.fetch(`http://first.test:${port}/ok`);
    const rebinding = open({ lookup: resolver(['10.0.0.1'], ['127.0.0.1']) });
    await expect(rebinding.fetch(`http://rebind.test:${port}/ok`)).rejects.toMatchObject({ code: 'egress_denied' });
    await expect(rebinding.fetch(`http://rebind.test:${port}/ok`)).rejects.toMatchObject({ code: 'egress_denied' });
    expect(hits).toEqual(['/ok']);
  });

  test('other schemes, credentials in the address, and what is no address', async () => {
    for (const url of ['ftp://example.com/', 'file:///etc/passwd', 'gopher://x/', 'data:,x', 'nonsense', '']) {
      await expect(open().fetch(url), url).rejects.toMatchObject({ code: 'egress_denied' });
    }
    await expect(open().fetch('https://user:hidden@example.com/')).rejects.toMatchObject({ code: 'egress_denied' });
    await expect(open().fetch('https://user:hidden@example.com/')).rejects.not.toThrow(/hidden@|user:/);
  });

  test('plain http for imports, unless the host is listed', async () => {
    const lookup = resolver(['127.0.0.1']);
    await expect(open({ lookup }).stream(`http://public.test:${port}/ok`)).rejects.toThrow(/https is needed/);
    await expect(open().stream('http://93.184.216.34/ok')).rejects.toThrow(/https is needed/);
    const listed = await open({ lookup, allow: ['public.test'] }).stream(`http://public.test:${port}/ok`);
    expect(await text(listed.body)).toBe('hello');
  });

  test('redirects to another host, another scheme, and too many of them', async () => {
    const egress = open({ allow: ['127.0.0.1'] });
    hits = [];
    await expect(egress.fetch(at('/away'))).rejects.toThrow(/redirects to another host/);
    await expect(egress.fetch(at('/file'))).rejects.toMatchObject({ code: 'egress_denied' });
    expect(hits).toEqual(['/away', '/file']);
    hits = [];
    await expect(egress.fetch(at('/loop'))).rejects.toMatchObject({ code: 'fetch_failed' });
    expect(hits).toHaveLength(6);
    await expect(egress.fetch(at('/once'), { method: 'POST', body: 'x' })).rejects.toMatchObject({
      code: 'fetch_failed',
    });
  });

  test('a redirect to another port when the call carries more than everybody may know', async () => {
    const seen: unknown[] = [];
    const other = createServer((request, response) => {
      seen.push(request.headers.authorization ?? request.headers['x-api-key'] ?? null);
      response.end('other');
    }).listen(0, '127.0.0.1');
    await once(other, 'listening');
    const location = `http://127.0.0.1:${(other.address() as AddressInfo).port}/ok`;
    routes['/elsewhere'] = (_request, response) => response.writeHead(302, { location }).end();
    const egress = open({ allow: ['127.0.0.1'] });
    try {
      for (const headers of [{ authorization: 'Bearer secret' }, { 'X-Api-Key': 'secret' }])
        await expect(egress.fetch(at('/elsewhere'), { headers })).rejects.toMatchObject({ code: 'egress_denied' });
      expect((await egress.fetch(at('/elsewhere'))).body.toString()).toBe('other');
      expect(seen).toEqual([null]);
    } finally {
      await egress.close();
      other.close();
    }
  });

  test('a redirect whose name now leads to a private address', async () => {
    const egress = open({ allow: [`moving.test:${port}`], lookup: resolver(['127.0.0.1']) });
    routes['/port'] = (_request, response) => response.writeHead(302, { location: 'http://moving.test:1/ok' }).end();
    await expect(egress.fetch(`http://moving.test:${port}/port`)).rejects.toMatchObject({ code: 'egress_denied' });
  });
});

describe('lets through', () => {
  test.each(['127.0.0.1', '127.0.0.0/8', 'PORT:127.0.0.1', '::ffff:127.0.0.1'])(
    '%s when it is listed',
    async (entry) => {
      const allow = [entry.startsWith('PORT:') ? `127.0.0.1:${port}` : entry];
      const answer = await open({ allow }).fetch(at('/ok'));
      expect(answer).toMatchObject({ status: 200, url: at('/ok') });
      expect(answer.body.toString()).toBe('hello');
      expect(answer.headers['x-kind']).toBe('plain');
      await expect(open({ allow: ['127.0.0.1:1', '10.0.0.0/8', 'localhost'] }).fetch(at('/ok'))).rejects.toThrow();
    },
  );

  test('a redirect within the host, any status, methods, headers and bodies', async () => {
    const egress = open({ allow: ['127.0.0.1'] });
    expect((await egress.fetch(at('/once'))).url).toBe(at('/ok'));
    expect((await egress.fetch(at('/teapot'))).status).toBe(418);
    const echoed = await egress.fetch(at('/echo'), { method: 'POST', headers: { 'x-token': 't' }, body: 'sent' });
    expect(echoed.body.toString()).toBe('POST t sent');
    expect((await egress.fetch(at('/large'), { method: 'HEAD' })).body).toHaveLength(0);
    await egress.close();
  });
});

describe('bounds', () => {
  const allow = ['127.0.0.1'];

  test('the size, announced or not, in one piece or streamed', async () => {
    const failed = { code: 'fetch_failed' };
    await expect(open({ allow }).fetch(at('/large'))).rejects.toMatchObject(failed);
    await expect(open({ allow }).fetch(at('/endless'))).rejects.toThrow(/more than 10000 bytes/);
    const { body } = await open({ allow }).stream(at('/endless'), { maxBytes: 20_000 });
    await expect(text(body)).rejects.toThrow(/more than 20000 bytes/);
    expect((await open({ allow }).fetch(at('/large'), { maxBytes: 100_000 })).body).toHaveLength(100_000);
  });

  test('the time, before the answer and within it, and on demand', async () => {
    const egress = open({ allow, timeoutMs: 150, maxBytes: 1e9 });
    await expect(egress.fetch(at('/silent'))).rejects.toThrow(/took too long/);
    await expect(egress.fetch(at('/endless'))).rejects.toThrow(/took too long/);
    const { body } = await egress.stream(at('/endless'));
    await expect(text(body)).rejects.toThrow(/took too long/);
    const signal = AbortSignal.abort(new Error('not wanted any more'));
    await expect(open({ allow }).fetch(at('/ok'), { signal })).rejects.toThrow('not wanted any more');
  });

  test('errors name the host and never repeat the body', async () => {
    const host = `127.0.0.1:${port}`;
    await expect(open({ allow }).stream(at('/teapot'))).rejects.toThrow(`${host} answered 418`);
    await expect(open({ allow }).stream(at('/teapot'))).rejects.not.toThrow(/private body/);
    await expect(open({ allow }).fetch(at('/broken'))).rejects.toMatchObject({ code: 'fetch_failed' });
    await expect(open({ allow }).fetch('http://127.0.0.1:9/')).rejects.toThrow(
      /127\.0\.0\.1:9 could not be read \(ECONNREFUSED\)/,
    );
  });
});

test('says which entry of the list is no host, address or block', () => {
  for (const entry of ['http://x', '10.0.0.0/99', 'a b', 'host:99999', 'host:0', '', '*', '[::1', 'a/b']) {
    expect(() => egressRules([entry]), entry).toThrow(/EGRESS_ALLOW/);
  }
  const rules = egressRules(['[fd00::/8]:443', 'fd12::1', '[::1]:80', 'Jira.Internal.', 'db.internal:5432']);
  expect(rules.refusal('fd00::5', 443)).toBeNull();
  expect(rules.refusal('fd00::5', 80)).not.toBeNull();
  expect(rules.refusal('fd12::1', 1)).toBeNull();
  expect(rules.refusal('::1', 80)).toBeNull();
  expect(rules.refusal('::1', 81)).not.toBeNull();
  expect(rules.lists('jira.internal', 1)).toBe(true);
  expect(rules.lists('JIRA.internal.', 1)).toBe(true);
  expect(rules.lists('db.internal', 5432)).toBe(true);
  expect(rules.lists('db.internal', 80)).toBe(false);
  expect(rules.lists('x.jira.internal', 1)).toBe(false);
  expect(rules.refusal('93.184.216.34', 80)).toBeNull();
  expect(rules.refusal('2606:2800:220:1::1', 80)).toBeNull();
});

function at(path: string): string {
  return `http://127.0.0.1:${port}${path}`;
}

async function text(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
