/** Calls to a registered agent: signed with what only it and we know, and with its owner's credential. */
import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { seal } from '../../../src/services/access/seal.ts';
import { callAgent, checkHealth, pollAgent } from '../../../src/services/agents/calls.ts';
import { type AgentStand, caller, openAgentStand } from './stand.ts';

const ana = caller('ana');
let stand: AgentStand;
let server: Server;
let base = '';
let seen: { method: string; url: string; headers: IncomingHttpHeaders; body: string }[] = [];
/** Tokens that the token endpoint has given out; the agent takes only the newest. */
let tokens = 0;

beforeAll(async () => {
  stand = await openAgentStand({ EGRESS_ALLOW: '127.0.0.1', PUBLIC_URL: 'https://ostinato.test/base' });
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method = '', url = '', headers } = request;
    seen.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
    response.setHeader('content-type', 'application/json');
    if (url === '/token') {
      tokens += 1;
      return response.end(JSON.stringify({ access_token: `t${tokens}`, token_type: 'Bearer', expires_in: 3600 }));
    }
    if (url.startsWith('/picky') && headers.authorization !== `Bearer t${tokens}`) return response.writeHead(401).end();
    return response.end('{"ok": true, "status": "running"}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server?.closeAllConnections();
  server?.close();
  await stand?.close();
});
beforeEach(() => {
  seen = [];
});

const TASK = {
  task_id: 'task-1',
  attempt: 3,
  type: 'analysis' as const,
  payload: { a: 1 },
  timeout_seconds: 60,
  deadline: '2030-01-01T00:00:00.000Z',
  priority: 'low' as const,
  pipeline_id: 'p',
  stage: 0,
};

async function register(name: string, endpoints: object, credential?: string) {
  const answer = await stand.as(ana)('register', { name, endpoints, ...(credential ? { credential } : {}) });
  const row = await stand.deps.db
    .selectFrom('agents')
    .selectAll()
    .where('agent_id', '=', answer.agent_id)
    .executeTakeFirstOrThrow();
  return { token: answer.token as string, row };
}

async function putCredential(name: string, kind: 'header' | 'oauth2_client_credentials', config: object) {
  const sealed = seal(stand.deps.config, { owner: 'ana', name }, 'the secret');
  await stand.deps.db
    .insertInto('outbound_credentials')
    .values({ owner: 'ana', name, kind, config: JSON.stringify(config), sealed })
    .execute();
}

const isSigned = (token: string, { headers, body }: (typeof seen)[number]) => {
  const key = createHash('sha256').update(token).digest();
  const content = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
  const wanted = `v1,${createHmac('sha256', key).update(content).digest('base64')}`;
  return String(headers['webhook-signature']).split(' ').includes(wanted);
};

test('a task comes signed with the token of the agent, with addresses to call back; a new token signs from then on', async () => {
  const { row, token } = await register('plain', { task: `${base}/task`, status: `${base}/status` });
  expect(await callAgent(stand.deps, row, TASK, { timeoutMs: 5_000 })).toMatchObject({
    status: 200,
    result: { ok: true },
  });
  const [first] = seen;
  if (!first) throw new Error('nothing came');
  expect(isSigned(token, first)).toBe(true);
  const calls = 'https://ostinato.test/base/api/v1/tasks/task-1';
  expect(JSON.parse(first.body)).toEqual({
    ...TASK,
    callbacks: {
      input: `${calls}/input`,
      progress: `${calls}/progress`,
      complete: `${calls}/complete`,
      fail: `${calls}/fail`,
      logs: `${calls}/logs`,
    },
  });
  const { token: next } = await stand.as(ana)('token', { agent_id: row.agent_id });
  expect(await pollAgent(stand.deps, row, TASK)).toMatchObject({ status: 'running' });
  const [, second] = seen;
  if (!second) throw new Error('nothing came');
  expect([isSigned(token, second), isSigned(next, second)]).toEqual([false, true]);
});

test('its owner’s credential goes along, also to the health endpoint', async () => {
  await putCredential('door', 'header', { header: 'X-Door' });
  const { row } = await register('guarded', { task: `${base}/task`, health: `${base}/health` }, 'door');
  await callAgent(stand.deps, row, TASK, { timeoutMs: 5_000 });
  expect(await checkHealth(stand.deps, row)).toMatchObject({ ok: true });
  expect(seen.map(({ headers }) => headers['x-door'])).toEqual(['the secret', 'the secret']);
  await stand.deps.db.deleteFrom('outbound_credentials').where('name', '=', 'door').execute();
  seen = [];
  await expect(callAgent(stand.deps, row, TASK, { timeoutMs: 5_000 })).rejects.toMatchObject({
    code: 'agent_unreachable',
    message: expect.stringContaining('"door"'),
  });
  expect(await checkHealth(stand.deps, row)).toMatchObject({ ok: false });
  expect(seen).toEqual([]);
});

test('a token that the agent refuses is asked for anew, once', async () => {
  await putCredential('oauth', 'oauth2_client_credentials', { token_url: `${base}/token`, client_id: 'us' });
  const { row } = await register('picky', { task: `${base}/picky` }, 'oauth');
  await callAgent(stand.deps, row, TASK, { timeoutMs: 5_000 });
  // The other side has forgotten the first.
  tokens += 1;
  seen = [];
  expect(await callAgent(stand.deps, row, TASK, { timeoutMs: 5_000 })).toMatchObject({ status: 200 });
  expect(seen.map(({ url }) => url)).toEqual(['/picky', '/token', '/picky']);
});

test('an endpoint that is not there is not called', async () => {
  const { row } = await register('bare', {});
  await expect(callAgent(stand.deps, row, TASK, { timeoutMs: 5_000 })).rejects.toMatchObject({ code: 'conflict' });
  expect(await checkHealth(stand.deps, row)).toBeNull();
});
