/** Names that move: whatever a name answered when it was given to us, nothing private is connected to when it is used. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, LookupFunction } from 'node:net';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fetchFile } from '../../../src/activities/ingestion/fetch.ts';
import { tryDelivery } from '../../../src/activities/notifications/try.ts';
import { createEgress } from '../../../src/clients/egress.ts';
import type { Deps } from '../../../src/deps.ts';
import { AgentRegistration } from '../../../src/schema/agents.ts';
import { authorizeOutgoing } from '../../../src/services/access/outgoing.ts';
import { seal } from '../../../src/services/access/seal.ts';
import {
  type CalledAgent,
  callAgent,
  callMcpAgent,
  checkHealth,
  pollAgent,
} from '../../../src/services/agents/calls.ts';
import { registerAgent } from '../../../src/services/agents/register.ts';
import { insertCredential } from '../../../src/stores/credentials.ts';
import { insertFile } from '../../../src/stores/files.ts';
import { findNotification, insertNotification } from '../../../src/stores/notifications.ts';
import { type StageKit, stageKit } from '../../activities/stages/kit.ts';
import { openStand, type Stand } from '../api/stand.ts';

/** Stands for the public internet: the one address of this machine that is open, with a server of its own. */
const PUBLIC = '127.0.0.2';
const PRIVATE = ['127.0.0.1', '169.254.169.254', '10.1.2.3', '::1', '::ffff:127.0.0.1', 'fe80::1', 'fc00::1'];
const SPELLINGS = [
  ...['2130706433', '0177.0.0.1', '0x7f.1', '127.1', '127.0.0.1.', '169.254.169.254', 'localhost', 'localhost.'],
  ...['[::1]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[fe80::1]', '[fc00::1]', '[64:ff9b::7f00:1]'],
];

let stand: Stand;
let deps: Deps;
let kit: StageKit;
let inside: Server;
let outside: Server;
let port: number;
let reached: string[] = [];
/** What the name answers, one after the other, the last for good; and how often it was asked. */
let answers: string[][] = [];
let asked = 0;

const lookup: LookupFunction = (_host, _options, callback) => {
  const found = answers[Math.min(asked, answers.length - 1)] ?? [];
  asked += 1;
  callback(
    null,
    found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
  );
};

beforeAll(async () => {
  stand = await openStand();
  inside = await listen('inside', '127.0.0.1', 0);
  port = (inside.address() as AddressInfo).port;
  outside = await listen('outside', PUBLIC, port);
  const egress = createEgress({ allow: [PUBLIC], maxBytes: 1e6, timeoutMs: 4_000, lookup });
  deps = { ...stand.deps, egress };
  kit = await stageKit({}, { egress });
}, 60_000);
afterAll(async () => {
  await deps?.egress.close();
  await kit?.close();
  inside?.close();
  outside?.close();
  await stand?.close();
});
beforeEach(() => {
  reached = [];
  asked = 0;
});

/** Notes every connection, whether or not anything is said over it. */
async function listen(name: string, host: string, at: number): Promise<Server> {
  const server = createServer((_request, response) => response.writeHead(200, { connection: 'close' }).end('{}'));
  server.on('connection', () => reached.push(name));
  server.listen(at, host);
  await once(server, 'listening');
  return server;
}

const agentAt = (url: string): CalledAgent => ({
  agent_id: randomUUID(),
  owner: 'ada',
  endpoints: { task: url, status: url, health: url, mcp: url },
  credential: null,
});
const TASK = {
  task_id: 'task-1',
  attempt: 1,
  type: 'analysis' as const,
  payload: {},
  timeout_seconds: 4,
  deadline: new Date().toISOString(),
  priority: 'medium' as const,
  pipeline_id: null,
  stage: null,
};
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'fine',
    (error: { code?: string; message: string }) => error.code ?? error.message,
  );
/** Where a refusal is no failure of the call, its words are the guard's. */
const saying = (words: string | null | undefined) => (/not public/.test(words ?? '') ? 'egress_denied' : `${words}`);

async function deliver(url: string): Promise<string> {
  const notification_id = randomUUID();
  const workflow_id = `notify-${notification_id}`;
  await stand.deps.db.transaction().execute((trx) =>
    insertNotification(trx, {
      notification_id,
      workflow_id,
      owner: 'ada',
      event: 'pipeline.completed',
      kind: 'webhook',
      target: url,
      body: '{}',
    }),
  );
  const input = { notification_id, workflow_id, owner: 'ada', count: 1, left_seconds: 60 };
  const tried = await tryDelivery(deps, input, new AbortController().signal);
  if (tried.done) return 'fine';
  expect((await findNotification(stand.deps.db, notification_id))?.last_error).toBe(tried.error);
  return saying(tried.error);
}

async function importFrom(url: string): Promise<string> {
  const [file_id, workflow_id] = [randomUUID(), randomUUID()];
  await stand.deps.db.transaction().execute((trx) =>
    insertFile(trx, {
      file_id,
      workflow_id,
      owner: 'ada',
      filename: 'x.csv',
      source_type: 'looker',
      size_bytes: 0,
      sha256: file_id,
      object_key: `uploads/${file_id}`,
      metadata: {},
    }),
  );
  const step = { file_id, workflow_id, attempt: 1, owner: 'ada', source: 'looker' as const, from: { url } };
  const work = () => fetchFile({ ...deps, objects: kit.deps.objects }, step, new AbortController().signal);
  return codeOf(new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') }).run(work));
}

async function tokenFrom(url: string): Promise<string> {
  const place = { owner: `owner-${randomUUID()}`, name: 'idp' };
  const config = { token_url: url, client_id: 'us' };
  await insertCredential(stand.deps.db, {
    ...place,
    kind: 'oauth2_client_credentials',
    config: JSON.stringify(config),
    sealed: seal(deps.config, place, 'secret'),
  });
  return codeOf(authorizeOutgoing(deps, place.owner, place.name));
}

const OPTIONS = { timeoutMs: 4_000 };
const MCP_CALL = { tool: 'x', arguments: {} };
/** Every way on which an address of a caller is called, with the scheme it is usually named by. */
const WAYS: [name: string, scheme: string, act: (url: string) => Promise<string>][] = [
  ['a webhook', 'https', deliver],
  ['a task for an agent', 'http', (url) => codeOf(callAgent(deps, agentAt(url), TASK, OPTIONS))],
  ['the status of an agent', 'http', (url) => codeOf(pollAgent(deps, agentAt(url), TASK))],
  ['the health of an agent', 'http', async (url) => saying((await checkHealth(deps, agentAt(url)))?.detail)],
  ['an agent that is an MCP server', 'http', (url) => codeOf(callMcpAgent(deps, agentAt(url), MCP_CALL, OPTIONS))],
  ['a data source', 'https', (url) => codeOf(kit.run('data-ingestion', { source: url }))],
  ['a file to import', 'https', importFrom],
  ['a token for client credentials', 'https', tokenFrom],
];

describe.each(WAYS)('%s', (_name, scheme, act) => {
  const url = () => `${scheme}://moving.test:${port}/x`;

  it.each(PRIVATE)('is not at a name that was public when it was given and is now %s', async (address) => {
    answers = [[PUBLIC], [address]];
    await deps.egress.check(url(), { httpsOnly: scheme === 'https' });
    expect(await act(url())).toBe('egress_denied');
    expect(reached).toEqual([]);
  });

  it('is not at a name with a private address among public ones, in whatever order', async () => {
    for (const both of [
      [PUBLIC, '127.0.0.1'],
      ['127.0.0.1', PUBLIC],
      [PUBLIC, '::1'],
    ]) {
      answers = [both];
      expect(await act(url())).toBe('egress_denied');
    }
    answers = [['127.0.0.1']];
    expect(await act(`${scheme}://moving.test.:${port}/x`)).toBe('egress_denied');
    expect(reached).toEqual([]);
  });

  it('is at the address that was checked, though the name changes in the moment after', async () => {
    answers = [[PUBLIC], ['127.0.0.1']];
    await act(url());
    expect(reached[0]).toBe('outside');
    expect(reached).not.toContain('inside');
  });

  it('is not at an address that says the same in other words', async () => {
    answers = [['127.0.0.1']];
    for (const host of SPELLINGS) expect(await act(`${scheme}://${host}:${port}/x`), host).toBe('egress_denied');
    expect(reached).toEqual([]);
  });
});

describe('registration', () => {
  const register = (name: string) => {
    const endpoints = { task: `http://moving.test:${port}/task` };
    const registration = AgentRegistration.parse({ name, type: 'worker', capabilities: [], endpoints });
    const principal = { id: 'ada', name: 'Ada', role: 'developer', grants: [], via: 'api_key', keyId: null } as const;
    return codeOf(registerAgent(deps, { ...principal, grants: [] }, registration));
  };

  it('of an agent asks the name that the call will ask', async () => {
    for (const found of [['127.0.0.1'], [PUBLIC, '10.1.2.3'], ['::1']]) {
      answers = [found];
      expect(await register(`a-${randomUUID()}`)).toBe('egress_denied');
    }
    answers = [[PUBLIC]];
    expect(await register(`a-${randomUUID()}`)).toBe('fine');
    expect(reached).toEqual([]);
  });

  it('of a webhook too, and over https alone', async () => {
    const check = (scheme: string) =>
      codeOf(deps.egress.check(`${scheme}://moving.test:${port}/x`, { httpsOnly: true }));
    answers = [[PUBLIC, 'fc00::1']];
    expect(await check('https')).toBe('egress_denied');
    answers = [[PUBLIC]];
    expect(await check('https')).toBe('fine');
    expect(await check('http')).toBe('egress_denied');
  });
});
