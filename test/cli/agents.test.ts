/** `ostinato agents …` against a fake API. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { AGENT_ID, agent, agentDetail } from './control-views.ts';
import { json, placeOfEachTest, problem, readBody, runCli } from './fake-api.ts';

const place = placeOfEachTest();
const { serve } = place;

const list = (agents: object[], next: string | null = null) => ({
  agents,
  next_cursor: next,
  truncated: next !== null,
});
const registered = { agent_id: AGENT_ID, token: 'osa_the-token', heartbeat_interval_seconds: 15, created: true };

test('list asks with its filters and shows a table, or lines', async () => {
  const target = await serve({ 'GET /api/v1/agents': (_request, response) => json(response, 200, list([agent()])) });
  const shown = await runCli(['agents', 'list', '--status', 'active', '--capability', 'analysis', ...target], {
    terminal: 100,
  });
  expect(shown.exit).toBe(0);
  expect(shown.stdout).toMatch(
    /^AGENT +NAME +TYPE +STATUS +LOAD +HEARTBEAT +CAPABILITIES\n1b8f6f0a +crunch +worker +active +25%/,
  );
  expect(place.api.requests).toEqual(['GET /api/v1/agents?status=active&capability=analysis']);
  const piped = await runCli(['agents', ...target]);
  expect(piped.lines).toEqual([{ kind: 'agent', ...agent() }]);
});

test('pages lead on', async () => {
  const target = await serve({
    'GET /api/v1/agents': (_request, response, url) =>
      json(response, 200, url.searchParams.get('cursor') ? list([agent({ name: 'last' })]) : list([agent()], 'next')),
  });
  expect((await runCli(['agents', '--all', ...target])).lines.map(({ name }) => name)).toEqual(['crunch', 'last']);
});

test('show takes the first characters of the id', async () => {
  const target = await serve({
    'GET /api/v1/agents': (_request, response) => json(response, 200, list([agent()])),
    [`GET /api/v1/agents/${AGENT_ID}`]: (_request, response) => json(response, 200, agentDetail({ draining: true })),
  });
  const ran = await runCli(['agents', 'show', '1b8f', ...target], { terminal: 100 });
  expect(ran.exit).toBe(0);
  expect(ran.stdout).toMatch(/status +active \(gets no new tasks\)\n/);
  expect(ran.stdout).toMatch(/endpoints +task=https:\/\/agent\.example\/task\n/);
  const none = await runCli(['agents', 'show', 'ffff', ...target]);
  expect(none).toMatchObject({ exit: 5, stderr: 'ostinato: No agent begins with ffff\n' });
});

test('register puts options over the file, and shows the token once', async () => {
  let body: unknown;
  const target = await serve({
    'POST /api/v1/agents/register': async (request, response) => {
      body = await readBody(request);
      json(response, 201, registered);
    },
  });
  const file = join(place.folder, 'agent.yaml');
  writeFileSync(
    file,
    'name: crunch\ntype: worker\nendpoints: { task: "http://old/task", health: "http://old/health" }\n',
  );
  const ran = await runCli(
    ['agents', 'register', '--task-url', 'https://new/task', '--capability', 'analysis,output', '--resource', 'cpu=4']
      .concat(['--resource', 'memory=8GB', '--max-concurrency', '2', '--label', 'zone=a', file])
      .concat(target),
    { terminal: 100 },
  );
  expect(ran.exit).toBe(0);
  expect(body).toEqual({
    name: 'crunch',
    type: 'worker',
    capabilities: ['analysis', 'output'],
    max_concurrency: 2,
    endpoints: { task: 'https://new/task', health: 'http://old/health' },
    resources: { cpu: 4, memory: '8GB' },
    labels: { zone: 'a' },
  });
  expect(ran.stdout).toMatch(
    /^Registered\nagent +1b8f.*\nheartbeat +every 15 s\ntoken +osa_the-token\nKeep the token now/,
  );
  const piped = await runCli(['agents', 'register', '--name', 'x', ...target]);
  expect(piped.lines).toEqual([{ kind: 'agent_registered', ...registered }]);
  expect(body).toEqual({ name: 'x' });
  for (const [option, shared] of [
    ['--shared', true],
    ['--no-shared', false],
  ] as const) {
    expect((await runCli(['agents', 'register', '--name', 'x', option, ...target])).exit).toBe(0);
    expect(body).toEqual({ name: 'x', shared });
  }
});

test('a name of somebody else ends with 1; a broken file with 2 and its place', async () => {
  const target = await serve({
    'POST /api/v1/agents/register': (_request, response) => problem(response, 409, 'conflict', 'crunch is taken'),
  });
  expect(await runCli(['agents', 'register', '--name', 'crunch', ...target])).toMatchObject({
    exit: 1,
    stderr: expect.stringContaining('crunch is taken [conflict'),
  });
  const file = join(place.folder, 'agent.yaml');
  writeFileSync(file, 'name: a\nname: b\n');
  expect(await runCli(['agents', 'register', file, ...target])).toMatchObject({
    exit: 2,
    stderr: expect.stringContaining('agent.yaml:2:1: this key stands twice'),
  });
});

test('without a name nothing is sent, and the field is named', async () => {
  const target = await serve({});
  expect(await runCli(['agents', 'register', '--type', 'worker', ...target])).toMatchObject({
    exit: 2,
    stderr: 'ostinato: name: an agent needs one\n  Give --name, or a file that has `name`.\n',
  });
  expect(place.api.requests).toEqual([]);
});

test.each(['drain', 'activate'])('%s', async (verb) => {
  const target = await serve({
    [`POST /api/v1/agents/${AGENT_ID}/${verb}`]: (_request, response) => json(response, 200, agentDetail()),
  });
  const ran = await runCli(['agents', verb, AGENT_ID, ...target]);
  expect(ran.exit).toBe(0);
  expect(ran.lines).toEqual([{ kind: 'agent', ...agentDetail() }]);
});

test('rotate shows the new token, remove says where tasks went', async () => {
  const target = await serve({
    [`POST /api/v1/agents/${AGENT_ID}/token`]: (_request, response) =>
      json(response, 200, { agent_id: AGENT_ID, token: 'osa_another' }),
    [`DELETE /api/v1/agents/${AGENT_ID}`]: (_request, response) =>
      json(response, 200, { agent_id: AGENT_ID, moved_tasks: 3 }),
  });
  expect((await runCli(['agents', 'rotate', AGENT_ID, ...target], { terminal: 100 })).stdout).toContain('osa_another');
  const removed = await runCli(['agents', 'remove', AGENT_ID, ...target], { terminal: 100 });
  expect(removed.stdout).toBe(`Removed ${AGENT_ID}; 3 of its tasks go to others\n`);
});
