/** The Web UI behind our sign-in: who gets there, what is sent on and what is not, and the codec. */
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import protocol from '@temporalio/proto';
import { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApiEnv } from '../../src/api/context.ts';
import { mountTemporal } from '../../src/api/temporal-routes.ts';
import { payloadCodec } from '../../src/clients/payload-codec.ts';
import { ROLES, type Role } from '../../src/schema/names.ts';
import type { Principal } from '../../src/schema/principal.ts';

const PAYLOAD_KEY = randomBytes(32).toString('hex');
let ui: Server;
let asked: IncomingMessage[] = [];

beforeAll(async () => {
  ui = createServer((request, response) => {
    asked.push(request);
    const settings = request.url === '/temporal/api/v1/settings';
    response.setHeader('content-type', settings ? 'application/json' : 'text/html');
    response.setHeader('set-cookie', '_csrf=theirs');
    response.end(settings ? '{"Version":"2","Codec":{"Endpoint":"http://elsewhere/codec"}}' : '<h1>UI</h1>');
  });
  await new Promise<void>((resolve) => ui.listen(0, '127.0.0.1', resolve));
});
afterAll(() => new Promise((resolve) => ui.close(resolve)));

function app(role: Role, upstream = true): Hono<ApiEnv> {
  const made = new Hono<ApiEnv>();
  made.use(async (c, next) => {
    c.set('principal', { role } as Principal);
    await next();
  });
  const port = (ui.address() as AddressInfo).port;
  mountTemporal(made, {
    TEMPORAL_UI_ADDRESS: upstream ? `http://127.0.0.1:${port}` : undefined,
    TEMPORAL_UI_PORT: 0,
    BODY_TIMEOUT: 30,
    PAYLOAD_KEY,
    publicUrl: 'https://ostinato.example',
  });
  return made;
}

describe('/temporal', () => {
  it.each(ROLES)('is for operators and admins: %s', async (role) => {
    const expected = role === 'admin' || role === 'operator' ? 200 : 403;
    expect((await app(role).request('/temporal/namespaces')).status).toBe(expected);
    expect((await app(role).request('/codec/decode', { method: 'POST', body: '{"payloads":[]}' })).status).toBe(
      expected,
    );
  });

  it('keeps our credentials here and hands its own cookie through', async () => {
    asked = [];
    const response = await app('admin').request('/temporal/?a=1', {
      headers: {
        cookie: 'ostinato_session_8080=secret; _csrf=theirs',
        authorization: 'Bearer secret',
        'x-api-key': 'secret',
        'x-csrf-token': 'theirs',
      },
    });
    expect(await response.text()).toBe('<h1>UI</h1>');
    expect(response.headers.get('set-cookie')).toBe('_csrf=theirs');
    expect(response.headers.get('content-security-policy')).toContain("connect-src 'self'");
    expect(asked[0]?.url).toBe('/temporal/?a=1');
    expect(asked[0]?.headers.cookie).toBe('_csrf=theirs');
    expect(asked[0]?.headers['x-csrf-token']).toBe('theirs');
    expect(JSON.stringify(asked[0]?.headers)).not.toContain('secret');
  });

  it('points the codec at the origin of the page', async () => {
    const settings = async (host: string) =>
      (await app('admin').request('/temporal/api/v1/settings', { headers: { host } })).json();
    expect(await settings('localhost:8080')).toEqual({
      Version: '2',
      Codec: { Endpoint: 'http://localhost:8080/codec' },
    });
    expect(await settings('ostinato.example')).toMatchObject({ Codec: { Endpoint: 'https://ostinato.example/codec' } });
  });

  it('says so where there is none', async () => {
    expect((await app('admin', false).request('/temporal')).status).toBe(404);
  });
});

describe('/codec', () => {
  const plain = {
    metadata: { encoding: Buffer.from('json/plain') },
    data: Buffer.from(`"${'clear text '.repeat(100)}"`),
  };
  const post = (path: string, body: unknown) =>
    app('operator').request(path, { method: 'POST', body: JSON.stringify(body) });

  it('opens what workflows sealed, and seals what the page sends', async () => {
    const [sealed] = await payloadCodec(PAYLOAD_KEY).encode([plain]);
    const wire = protocol.temporal.api.common.v1.Payload.toObject(
      protocol.temporal.api.common.v1.Payload.fromObject(sealed ?? {}),
      { bytes: String },
    );
    const decoded = await (await post('/codec/decode', { payloads: [wire] })).json();
    expect(Buffer.from(decoded.payloads[0].data, 'base64').toString()).toContain('clear text');
    const encoded = await (await post('/codec/encode', decoded)).json();
    expect(Buffer.from(encoded.payloads[0].metadata.encoding, 'base64').toString()).toBe('binary/aes-256-gcm');
    expect(JSON.stringify(encoded)).not.toContain(decoded.payloads[0].data);
  });

  it.each([
    [{}],
    [{ payloads: 'x' }],
    [{ payloads: [{ metadata: { encoding: 'YmluYXJ5L2Flcy0yNTYtZ2Nt' }, data: 'AAAA' }] }],
  ])('refuses %j', async (body) => {
    expect((await post('/codec/decode', body)).status).toBe(400);
  });
});
