/** Agents of every kind in the whole system: they get tasks, prove who calls them, drain, die, and others take over. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { signWebhook } from '../../src/clients/agent-calls.ts';
import { hashSecret } from '../../src/services/access/secrets.ts';
import { type AgentProcess, startAgent } from '../support/agents.ts';
import { removeDataDir, type System, startSystem } from '../support/system.ts';

const MCP_SERVER = fileURLToPath(new URL('../fixtures/mcp/agent-server.ts', import.meta.url));
const OVER = ['completed', 'failed', 'cancelled'];

let system: System;
const agents: AgentProcess[] = [];
let mcp: ChildProcess | undefined;

beforeAll(async () => {
  system = await startSystem({ AGENT_HEARTBEAT_SECONDS: '2', EGRESS_ALLOW: '127.0.0.1', RATE_LIMIT_AGENT: '0' });
}, 120_000);
afterAll(async () => {
  await Promise.all(agents.map((agent) => agent.kill()));
  mcp?.kill('SIGKILL');
  await system?.stop();
  if (system) removeDataDir(system);
});

async function agent(name: string, ...options: string[]): Promise<AgentProcess> {
  const started = await startAgent(system, name, options);
  agents.push(started);
  return started;
}

async function submit(capability: string, parameters: object = {}, more: object = {}): Promise<string> {
  const { status, body } = await system.call('POST', '/api/v1/tasks', {
    type: 'processing',
    payload: { parameters },
    capabilities: [capability],
    executor: 'agent',
    ...more,
  });
  expect(status, JSON.stringify(body)).toBe(202);
  return body.task_id;
}
const detail = async (taskId: string) => (await system.call('GET', `/api/v1/tasks/${taskId}/detail`)).body;
const statusOf = async (agentId: string) => (await system.call('GET', `/api/v1/agents/${agentId}`)).body.status;

async function until<T>(look: () => Promise<T>, holds: (seen: T) => boolean, seconds = 45): Promise<T> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const seen = await look();
    if (holds(seen)) return seen;
    if (Date.now() > end) throw new Error(`it never came to that: ${JSON.stringify(seen)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
const untilOver = (taskId: string) =>
  until(
    () => detail(taskId),
    (task) => OVER.includes(task.status),
  );
const untilRunning = (taskId: string) =>
  until(
    () => detail(taskId),
    (task) => task.status === 'running',
  );

it.each([
  ['pull', ['--mode', 'pull']],
  ['push, calling back', ['--mode', 'push']],
  ['push, answering at once', ['--mode', 'push', '--answer', 'now']],
])('does a task: %s', async (name, options) => {
  const capability = name.replaceAll(/[^a-z]+/g, '-');
  const { agentId } = await agent(capability, ...options, '--capabilities', capability);
  const task = await untilOver(await submit(capability, { text: 'The tide turns; the tide waits.' }));
  expect(task).toMatchObject({
    status: 'completed',
    assigned_agent: agentId,
    attempt: 1,
    result: { agent: capability, words: 6, distinct: 4, top: { the: 2, tide: 2 } },
  });
});

it('calls a tool of an agent that is an MCP server', async () => {
  mcp = spawn(process.execPath, [MCP_SERVER, 'modern'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [address] = await once(createInterface({ input: mcp.stdout as NodeJS.ReadableStream }), 'line');
  const { status, body } = await system.call('POST', '/api/v1/agents/register', {
    name: 'tools',
    capabilities: ['tools'],
    endpoints: { mcp: address },
  });
  expect(status).toBe(201);
  const payload = { tool: 'count_words', arguments: { text: 'one two three' } };
  expect(await untilOver(await submit('tools', {}, { payload }))).toMatchObject({
    status: 'completed',
    assigned_agent: body.agent_id,
    result: { words: 3 },
  });
  const broken = await untilOver(await submit('tools', {}, { payload: { tool: 'broken' }, retry_count: 0 }));
  expect(broken).toMatchObject({ status: 'failed', error: { detail: expect.stringContaining('no such table') } });
  await system.call('DELETE', `/api/v1/agents/${body.agent_id}`);
});

it('moves the task of an agent that is killed to another', async () => {
  const pair = [
    await agent('mortal-1', '--capabilities', 'mortal'),
    await agent('mortal-2', '--mode', 'push', '--capabilities', 'mortal'),
  ];
  const taskId = await submit('mortal', { sleep_ms: 2_500 });
  const { assigned_agent } = await untilRunning(taskId);
  const victim = pair.find(({ agentId }) => agentId === assigned_agent);
  const heir = pair.find(({ agentId }) => agentId !== assigned_agent);
  await victim?.kill();
  const task = await untilOver(taskId);
  expect(task).toMatchObject({ status: 'completed', assigned_agent: heir?.agentId, attempt: 2, lost: 1 });
  expect(task.attempts.map(({ status }: { status: string }) => status)).toEqual(['lost', 'completed']);
  await until(
    () => statusOf(assigned_agent),
    (status) => status === 'offline',
  );
  await until(
    () => statusOf(heir?.agentId ?? ''),
    (status) => status === 'active',
  );
});

it('lets an agent that is told to stop finish what it has, and gives it nothing more', async () => {
  const leaving = await agent('leaving', '--mode', 'push', '--capabilities', 'farewell');
  const taskId = await submit('farewell', { sleep_ms: 1_500 });
  await untilRunning(taskId);
  const stopped = leaving.stop();
  await until(
    () => statusOf(leaving.agentId),
    (status) => status === 'draining',
  );
  const next = await submit('farewell', {}, { timeout: 60 });
  expect(await stopped).toBe(0);
  expect(await untilOver(taskId)).toMatchObject({ status: 'completed', assigned_agent: leaving.agentId, attempt: 1 });
  expect(await detail(next)).toMatchObject({ status: 'pending', assigned_agent: null });
  const back = await agent('leaving', '--mode', 'pull', '--capabilities', 'farewell');
  expect(back.agentId).toBe(leaving.agentId);
  expect(await untilOver(next)).toMatchObject({ status: 'completed', assigned_agent: back.agentId });
});

it('an agent believes only what is signed with its token, and not what is old', async () => {
  const { agentId, output } = await agent('careful', '--mode', 'push', '--capabilities', 'careful');
  const address = /"address":"([^"]+)"/.exec(output())?.[1] ?? '';
  const body = JSON.stringify({
    task_id: 't',
    attempt: 1,
    type: 'output',
    payload: {},
    deadline: '2099-01-01T00:00:00Z',
  });
  const post = async (headers: Record<string, string>) =>
    (await fetch(`${address}/task`, { method: 'POST', headers, body })).status;
  const key = hashSecret('osta_somebody-else');
  expect(await post({})).toBe(401);
  expect(await post(signWebhook([key], { id: 't/1', body }))).toBe(401);
  const { body: rotated } = await system.call('POST', `/api/v1/agents/${agentId}/token`);
  const right = hashSecret(rotated.token);
  // It has not been told of the new token yet; it finds out by its next heartbeat and registers anew.
  expect(await post(signWebhook([right], { id: 't/1', body }))).toBe(401);
  await untilOver(await submit('careful', { text: 'a' }));
});

it('a replaced token is dead, and a living one does nothing for other agents', async () => {
  const register = async (name: string) =>
    (await system.call('POST', '/api/v1/agents/register', { name, capabilities: ['none'] })).body;
  const [mine, other] = [await register('mine'), await register('other')];
  const beat = async (agentId: string, token: string) =>
    (
      await system.call(
        'POST',
        `/api/v1/agents/${agentId}/heartbeat`,
        { current_load: 0 },
        { authorization: `Bearer ${token}` },
      )
    ).status;
  expect(await beat(mine.agent_id, mine.token)).toBe(200);
  expect(await beat(other.agent_id, mine.token)).toBe(403);
  const { body } = await system.call('POST', `/api/v1/agents/${mine.agent_id}/token`);
  await until(
    () => beat(mine.agent_id, mine.token),
    (status) => status === 401,
  );
  expect(await beat(mine.agent_id, body.token)).toBe(200);
  const asAgent = { authorization: `Bearer ${body.token}` };
  for (const path of ['/api/v1/agents', '/api/v1/tasks', '/api/v1/files', '/api/v1/keys']) {
    expect((await system.call('GET', path, undefined, asAgent)).status, path).toBe(403);
  }
  await system.call('DELETE', `/api/v1/agents/${mine.agent_id}`);
  await until(
    () => beat(mine.agent_id, body.token),
    (status) => status === 401,
  );
});
