/** Every door that is no operation (MCP, sockets, streams, sessions, pages, Temporal, metrics) against credentials that must not work. */
import { randomUUID } from 'node:crypto';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAccess } from '../../../src/api/access.ts';
import { createApi } from '../../../src/api/app.ts';
import { honoPath } from '../../../src/api/operation-routes.ts';
import { listen, type RunningServer } from '../../../src/api/server.ts';
import { createLiveSockets } from '../../../src/api/websocket/server.ts';
import { createMcpDoor } from '../../../src/mcp/door.ts';
import { allowedHosts } from '../../../src/mcp/guard.ts';
import { operations } from '../../../src/operations/index.ts';
import { invoke } from '../../../src/operations/invoke.ts';
import { ROLES, type Role } from '../../../src/schema/names.ts';
import { issueAgentToken, revokeAgentTokens } from '../../../src/services/access/agent-tokens.ts';
import { REVOCATION_BOUND_MS } from '../../../src/services/access/authenticate.ts';
import { createEventHub, type EventHub } from '../../../src/services/event-hub.ts';
import { houseResources } from '../../../src/services/resources.ts';
import { workflowTasks } from '../../../src/services/workflow-tasks.ts';
import { modernCall } from '../../fixtures/mcp/raw.ts';
import { JWT_SECRET, makeKey, openStand, type Stand } from '../api/stand.ts';
import { connect, Refused, write } from '../live/stage.ts';
import { THINGS } from './fixtures.ts';

interface Door {
  method: string;
  path: string;
}

let stand: Stand;
let hub: EventHub;
let server: RunningServer;
let base: string;
let doors: Door[];
const draining = new AbortController();

beforeAll(async () => {
  stand = await openStand();
  const { deps } = stand;
  hub = createEventHub(deps);
  const access = createAccess(deps, 1_000_000);
  const mcp = createMcpDoor({
    operations,
    invoke: (operation, call, input) => invoke(deps, operation, call, input),
    tasks: workflowTasks(deps),
    resources: houseResources(deps),
    log: deps.log,
    version: '0.0.0',
    hosts: allowedHosts(deps.config),
    bodySeconds: 30,
  });
  const app = createApi({ deps, operations, hub, mcp, access, draining: draining.signal });
  const live = createLiveSockets({ deps, hub, access, draining: draining.signal });
  server = await listen(app, { port: 0, hostname: '127.0.0.1' }, live.upgrade);
  base = `http://127.0.0.1:${server.port}`;
  const ours = new Set(
    operations.flatMap(({ http }) => (http ? [`${http.method.toUpperCase()} ${honoPath(http)}`] : [])),
  );
  const found = app.routes
    .filter(({ method, path }) => !ours.has(`${method} ${path}`) && !(method === 'ALL' && path === '/*'))
    .map(({ method, path }) => ({
      method: method === 'ALL' ? 'GET' : method,
      path: path.replace(/:direction\{.*\}/, 'decode').replace('*', 'namespaces'),
    }));
  doors = [...new Map(found.map((door) => [`${door.method} ${door.path}`, door])).values()];
});
afterAll(async () => {
  draining.abort();
  await server.drain(1_000);
  await hub.close();
  await stand.close();
});

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
/** Metrics are open on loopback; what a proxy brings is not from there. */
const ask = ({ method, path }: Door, headers: Record<string, string>) =>
  fetch(base + path, { method, redirect: 'manual', headers: { 'x-forwarded-for': '192.0.2.1', ...headers } });
const OPEN = new Set(['GET /health', 'GET /mcp/health']);
const name = ({ method, path }: Door) => `${method} ${path}`;

it('no door is forgotten', () => {
  expect(doors.map(name).sort()).toEqual([
    'DELETE /api/v1/session',
    'DELETE /mcp',
    'GET /',
    'GET /api/v1/events',
    'GET /docs',
    'GET /docs/favicon-32x32.png',
    'GET /docs/start.js',
    'GET /docs/swagger-ui-bundle.js',
    'GET /docs/swagger-ui.css',
    'GET /health',
    'GET /mcp',
    'GET /mcp/health',
    'GET /metrics',
    'GET /openapi.json',
    'GET /temporal',
    'GET /temporal/namespaces',
    'POST /api/v1/session',
    'POST /codec/decode',
    'POST /mcp',
  ]);
});

describe('no door takes', () => {
  const soon = () => Math.floor(Date.now() / 1000);
  const token = (secret: string, exp: number) =>
    new SignJWT({ sub: 'x', role: 'admin', exp })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(new TextEncoder().encode(secret));
  const cookieOf = async (key: string) => {
    const begun = await fetch(`${base}/api/v1/session`, { method: 'POST', headers: bearer(key) });
    expect(begun.status).toBe(201);
    return begun.headers.get('set-cookie')?.split(';')[0] ?? '';
  };
  const ofOurPage = (cookie: string) => ({ cookie, origin: base });
  const agentToken = (isRevoked: boolean) =>
    stand.deps.db.transaction().execute(async (trx) => {
      const agent_id = randomUUID();
      const { token } = await issueAgentToken(trx, { agent_id, name: 'a', created_by: 'x' });
      if (isRevoked) await revokeAgentTokens(trx, agent_id);
      return token;
    });

  const credentials: Record<string, () => Promise<Record<string, string>> | Record<string, string>> = {
    'no credential': () => ({}),
    'a made-up key': () => bearer(`ost_${'A'.repeat(43)}`),
    'an expired key': async () =>
      bearer((await makeKey(stand.deps, 'admin', { expires_at: new Date(Date.now() - 1_000) })).key),
    'a revoked key': async () => bearer((await makeKey(stand.deps, 'admin', { revoked: true })).key),
    'a revoked token of an agent': async () => bearer(await agentToken(true)),
    'an expired JWT': async () => bearer(await token(JWT_SECRET, soon() - 31)),
    'a JWT under another secret': async () => bearer(await token('x'.repeat(40), soon() + 300)),
    'an unknown session': () => ofOurPage(`ostinato_session_${stand.deps.config.SERVER_PORT}=nonsense`),
    'a session that was ended': async () => {
      const { key } = await makeKey(stand.deps, 'admin');
      const headers = ofOurPage(await cookieOf(key));
      await fetch(`${base}/api/v1/session`, { method: 'DELETE', headers });
      // What was looked up a moment ago may be remembered for so long.
      const status = async () => (await ask({ method: 'GET', path: '/docs' }, headers)).status;
      await expect.poll(status, { timeout: 2 * REVOCATION_BOUND_MS }).toBe(401);
      return headers;
    },
    'a session whose key was revoked': async () => {
      const { key, key_id } = await makeKey(stand.deps, 'admin');
      const headers = ofOurPage(await cookieOf(key));
      await stand.deps.db
        .updateTable('api_keys')
        .set({ revoked_at: new Date() })
        .where('key_id', '=', key_id)
        .execute();
      return headers;
    },
  };

  it.each(Object.keys(credentials))('%s', async (which) => {
    const headers = (await credentials[which]?.()) ?? {};
    for (const door of doors) {
      const answer = await ask(door, headers);
      const text = await answer.text();
      if (OPEN.has(name(door))) {
        expect(text, name(door)).not.toContain('"detail"');
        continue;
      }
      expect([answer.status, JSON.parse(text).code], name(door)).toEqual([401, 'unauthenticated']);
    }
    const socket = await connect({ url: `${base.replace('http', 'ws')}/ws` }, { headers });
    const given = headers.authorization?.slice('Bearer '.length) ?? '-';
    socket.send({ type: 'auth', token: given });
    expect((await socket.closed).code).toBe(4401);
    expect(socket.messages).toEqual([{ type: 'problem', code: 'unauthenticated', detail: expect.any(String) }]);
  });

  it('from a page of another site the session of somebody who is signed in', async () => {
    const { key } = await makeKey(stand.deps, 'admin');
    const cookie = await cookieOf(key);
    const foreign = { cookie, origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
    for (const door of doors.filter(({ method }) => method !== 'GET')) {
      const answer = await ask(door, foreign);
      expect([answer.status, (await answer.json()).code], name(door)).toEqual([403, 'forbidden']);
    }
    await expect(connect({ url: `${base.replace('http', 'ws')}/ws` }, { headers: foreign })).rejects.toEqual(
      new Refused(403),
    );
    // It was not ended by that, and a page of our own gets in with it.
    expect((await ask({ method: 'GET', path: '/openapi.json' }, ofOurPage(cookie))).status).toBe(200);
  });
});

describe('a role', () => {
  const operators = new Set<Role>(['admin', 'operator']);

  it.each(ROLES)('%s gets no further than it may', async (role) => {
    const { key } = await makeKey(stand.deps, role);
    const may = operators.has(role);
    const status = async (door: Door) => {
      const leave = new AbortController();
      const answer = await fetch(base + door.path, {
        method: door.method,
        headers: { 'x-forwarded-for': '192.0.2.1', ...bearer(key) },
        signal: leave.signal,
      });
      leave.abort();
      return answer.status;
    };
    expect(await status({ method: 'GET', path: '/metrics' })).toBe(may ? 200 : 401);
    // There is none here, which only who may know is told.
    expect(await status({ method: 'GET', path: '/temporal' })).toBe(may ? 404 : 403);
    expect(await status({ method: 'POST', path: '/codec/decode' })).toBe(may ? 400 : 403);
    expect(await status({ method: 'GET', path: '/api/v1/events' })).toBe(role === 'agent' ? 403 : 200);
    const socket = await connect({ url: `${base.replace('http', 'ws')}/ws` });
    socket.send({ type: 'auth', token: key });
    if (role === 'agent') expect((await socket.closed).code).toBe(4403);
    else await socket.heard('ready');
    await socket.close();
  });
});

describe("somebody else's things", () => {
  it('are not shown by a stream or a socket that asks for them by name', async () => {
    const [owner, stranger] = [await makeKey(stand.deps, 'analyst'), await makeKey(stand.deps, 'analyst')];
    const file_id = (await THINGS.file_id?.(stand.deps, owner.principal_id, {})) ?? '';
    const theirs = { owner: owner.principal_id, resource: `file:${file_id}`, data: { file_id } };
    await write(stand.deps.db, 1, theirs);
    const [own] = await write(stand.deps.db, 1, { owner: stranger.principal_id });
    const url = `${base.replace('http', 'ws')}/ws`;
    const [hers, his] = [
      await connect({ url }, { token: owner.key, resume: '0' }),
      await connect({ url }, { token: stranger.key, resume: '0' }),
    ];
    // Its own came after: whatever would have been shown has been.
    expect((await his.count(1)).map(({ data }) => data.mark)).toEqual([own]);
    expect((await hers.count(1))[0]?.data.file_id).toBe(file_id);
    await hers.close();
    await his.close();

    const leave = new AbortController();
    const streamed = await fetch(`${base}/api/v1/events?after=0&file_id=${file_id}`, {
      headers: bearer(stranger.key),
      signal: leave.signal,
    });
    const reader = streamed.body?.getReader();
    let heard = '';
    const reading = (async () => {
      for (;;) {
        const { value, done } = (await reader?.read()) ?? { done: true };
        if (done) return;
        heard += Buffer.from(value ?? []).toString();
      }
    })().catch(() => {});
    const [mark] = await write(stand.deps.db, 1, {
      owner: stranger.principal_id,
      resource: `file:${file_id}`,
      data: { file_id },
    });
    await expect.poll(() => heard).toContain(`"mark":${mark}`);
    leave.abort();
    await reading;
    expect(heard.match(/^data: /gm)).toHaveLength(1);
  });

  it('are not found through MCP: by a tool, as a task, or as a resource', async () => {
    const [owner, stranger] = [await makeKey(stand.deps, 'analyst'), await makeKey(stand.deps, 'analyst')];
    const file_id = (await THINGS.file_id?.(stand.deps, owner.principal_id, {})) ?? '';
    const call = async (key: string, method: string, params: Record<string, unknown>) =>
      JSON.stringify(await modernCall(`${base}/mcp`, key, method, params, { tasks: true }));
    const look = { name: 'call_tool', arguments: { name: 'files.get', arguments: { file_id } } };
    expect(await call(owner.key, 'tools/call', look)).toContain('x.json');
    const refused = await call(stranger.key, 'tools/call', look);
    expect(refused).toContain('not_found');
    expect(refused).not.toContain('x.json');
    for (const params of [{ taskId: `ingest-${file_id}` }, { taskId: 'sweep-storage' }]) {
      const answer = await call(stranger.key, 'tasks/get', params);
      expect(answer).toContain('"error"');
      expect(answer).not.toContain(owner.principal_id);
    }
    for (const uri of [`ostinato://files/${file_id}`, `ostinato://workflows/ingest-${file_id}`]) {
      expect(await call(stranger.key, 'resources/read', { uri })).toContain('"error"');
    }
  });
});
