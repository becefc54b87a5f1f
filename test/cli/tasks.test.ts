/** `ostinato tasks …` against a fake API. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { newLines } from '../../src/cli/task-logs.ts';
import { AGENT_ID, agent, TASK_ID, taskDetail, taskItem } from './control-views.ts';
import { json, placeOfEachTest, readBody, runCli } from './fake-api.ts';

const TASKS = '/api/v1/tasks';
const DETAIL = `GET ${TASKS}/${TASK_ID}/detail`;
const EVENTS = 'GET /api/v1/events';

const place = placeOfEachTest();
const { serve } = place;

const accepted = {
  task_id: TASK_ID,
  status: 'pending',
  workflow_id: TASK_ID,
  queue_position: 2,
  links: { self: '/s', detail: '/d', events: '/e', workflow: '/w' },
};
const page = (items: object[]) => ({ items, next_cursor: null, truncated: false });
const log = (message: string, second: number) => ({
  timestamp: `2026-03-01T10:00:${String(second).padStart(2, '0')}.000Z`,
  level: 'info' as const,
  message,
});

test('show says for what a task waits, and which agent was named', async () => {
  const waits_for_agent = { since: '2026-03-01T10:00:00.000Z', until: '2026-03-01T10:01:00.000Z', reason: 'no rows' };
  const task = taskDetail({ status: 'pending', agent_id: 'a1', waits_for_agent });
  const target = await serve({ [DETAIL]: (_request, response) => json(response, 200, task) });
  const ran = await runCli(['tasks', 'show', TASK_ID, ...target], { terminal: 110 });
  expect(ran.stdout).toMatch(/\nwaits +for an agent, until .+: no rows\n/);
  expect(ran.stdout).toMatch(/\nexecutor +agent a1\n/);
});

test('list shows ids without what all of them begin with, and show takes those', async () => {
  const target = await serve({
    [`GET ${TASKS}`]: (_request, response) => json(response, 200, page([taskItem({ queue_position: 7 })])),
    [DETAIL]: (_request, response) => json(response, 200, taskDetail()),
  });
  const ran = await runCli(['tasks', 'list', '--status', 'pending', '--pipeline', 'p-1', ...target], { terminal: 110 });
  expect(ran.stdout).toMatch(/\n2b8f6f0a +analysis +completed +100 +medium +7 /);
  expect(place.api.requests).toEqual([`GET ${TASKS}?status=pending&pipeline_id=p-1`]);
  for (const id of ['2b8f', 'task-2b8f', '2B8F6F0A', TASK_ID]) {
    expect((await runCli(['tasks', 'show', id, ...target])).lines).toMatchObject([{ kind: 'task', task_id: TASK_ID }]);
  }
});

test('agents are called by their names, and by their ids where they are hidden', async () => {
  const hidden = '9c8f6f0a-3f0c-4d4e-9a55-5a5f0f4c1a99';
  const tasks = [taskItem({ assigned_agent: AGENT_ID }), taskItem({ assigned_agent: hidden })];
  const target = await serve({
    [`GET ${TASKS}`]: (_request, response) => json(response, 200, page(tasks)),
    [DETAIL]: (_request, response) => json(response, 200, taskDetail({ assigned_agent: AGENT_ID })),
    [`GET /api/v1/agents/${AGENT_ID}`]: (_request, response) => json(response, 200, agent()),
  });
  const listed = await runCli(['tasks', ...target], { terminal: 120 });
  expect(listed.stdout).toMatch(/ crunch .+\n.+ 9c8f6f0a/);
  const shown = await runCli(['tasks', 'show', TASK_ID, ...target], { terminal: 120 });
  expect(shown.stdout).toContain(`agent crunch (${AGENT_ID})`);
  const piped = await runCli(['tasks', ...target]);
  expect(piped.lines).toMatchObject([{ assigned_agent: AGENT_ID }, { assigned_agent: hidden }]);
  expect(place.api.requests.filter((request) => request.includes('/agents/'))).toHaveLength(3);
});

test('many agents are asked for in one go', async () => {
  const ids = [1, 2, 3, 4, 5].map((n) => `${n}b8f6f0a-3f0c-4d4e-9a55-5a5f0f4c1a01`);
  const agents = ids.map((id, n) => agent({ id, name: `agent-${n}` }));
  const target = await serve({
    [`GET ${TASKS}`]: (_request, response) =>
      json(response, 200, page(ids.map((id) => taskItem({ assigned_agent: id })))),
    'GET /api/v1/agents': (_request, response) => json(response, 200, { agents, next_cursor: null, truncated: false }),
  });
  const listed = await runCli(['tasks', ...target], { terminal: 120 });
  expect(listed.stdout.match(/ agent-\d /g)).toHaveLength(5);
  expect(place.api.requests).toEqual([`GET ${TASKS}`, 'GET /api/v1/agents?limit=200']);
});

describe('submit', () => {
  test('sends what options say, the payload as JSON or from a file', async () => {
    const bodies: unknown[] = [];
    const target = await serve({
      [`POST ${TASKS}`]: async (request, response) => {
        bodies.push(await readBody(request));
        json(response, 202, accepted);
      },
    });
    const options = [
      '--priority',
      'high',
      '--timeout',
      '60',
      '--retries',
      '0',
      '--executor',
      'agent',
      '--capability',
      'gpu',
    ];
    const ran = await runCli(
      ['tasks', 'submit', 'analysis', '-p', '{"data_source": "s3://b/a.csv"}', ...options, ...target],
      { terminal: 100 },
    );
    expect(ran.exit).toBe(0);
    expect(ran.stdout).toMatch(
      /^Accepted\ntask +task-2b8f.*\nstatus +pending\nplace +2 in the queue\nLook: ostinato tasks show/,
    );
    const file = join(place.folder, 'payload.yaml');
    writeFileSync(file, 'data_source: s3://b/c.csv\nparameters: { format: csv }\n');
    const piped = await runCli([
      'tasks',
      'submit',
      'output',
      '--payload',
      `@${file}`,
      '--stage',
      '1',
      '--agent',
      'a1',
      ...target,
    ]);
    expect(piped.lines).toEqual([{ kind: 'task_accepted', ...accepted }]);
    expect(bodies).toEqual([
      {
        type: 'analysis',
        payload: { data_source: 's3://b/a.csv' },
        priority: 'high',
        timeout: 60,
        retry_count: 0,
        executor: 'agent',
        capabilities: ['gpu'],
      },
      {
        type: 'output',
        payload: { data_source: 's3://b/c.csv', parameters: { format: 'csv' } },
        agent_id: 'a1',
        stage: 1,
      },
    ]);
  });

  test.each([
    ['{"a": }', /--payload: not JSON: /],
    ['[1]', /--payload: must be an object/],
    ['@/none.json', /--payload: \/none\.json: no such file|\/none\.json: no such file/],
  ])('a payload such as %s ends with 2 before anything is sent', async (payload, message) => {
    const target = await serve({});
    const ran = await runCli(['tasks', 'submit', 'analysis', '--payload', payload, ...target]);
    expect(ran.exit).toBe(2);
    expect(ran.stderr).toMatch(message);
    expect(place.api.requests).toEqual([]);
  });

  test('--watch stays until it is over, and ends with 1 when it failed', async () => {
    let looks = 0;
    const target = await serve({
      [`POST ${TASKS}`]: (_request, response) => json(response, 202, accepted),
      [EVENTS]: (_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        // One for each look that is to come.
        setTimeout(() => response.write('id: 1-1\nevent: task.updated\ndata: {}\n\n'), 400);
      },
      [DETAIL]: (_request, response) => {
        looks++;
        if (looks === 1)
          return json(
            response,
            200,
            taskDetail({ status: 'pending', progress: 0, queue_position: 1, queue_length: 4 }),
          );
        if (looks === 2) return json(response, 200, taskDetail({ status: 'running', progress: 0.5 }));
        const error = { code: 'agent_failed', detail: 'out of memory' };
        json(response, 200, taskDetail({ status: 'failed', progress: 0.5, error }));
      },
    });
    const ran = await runCli(['tasks', 'submit', 'analysis', '--watch', ...target]);
    expect(ran.exit).toBe(1);
    expect(ran.lines.map(({ kind, status }) => [kind, status])).toEqual([
      ['task_accepted', 'pending'],
      ['task_progress', 'pending'],
      ['task_progress', 'running'],
      ['task_progress', 'failed'],
      ['task', 'failed'],
    ]);
    expect(place.api.requests).toContain(`GET /api/v1/events?task_id=${TASK_ID}`);
  });
});

test.each(['cancel', 'retry'])('%s', async (verb) => {
  const { task_id, status } = taskItem({ status: 'cancelled' });
  const target = await serve({
    [`POST ${TASKS}/${TASK_ID}/${verb}`]: (_request, response) =>
      json(response, 202, { ...taskDetail({ status }), logs: [] }),
  });
  const ran = await runCli(['tasks', verb, TASK_ID, ...target], { terminal: 80 });
  expect(ran).toMatchObject({ exit: 0, stdout: `${task_id}: cancelled\n` });
});

describe('logs', () => {
  test('--follow shows each line once, also where the newest push the oldest out', async () => {
    const all = Array.from({ length: 9 }, (_, i) => log(`line ${i % 7}`, i % 7));
    const windows = [all.slice(0, 4), all.slice(2, 6), all.slice(2, 6), all.slice(4, 9)];
    let look = 0;
    const target = await serve({
      [EVENTS]: (_request, response) =>
        void response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders(),
      [DETAIL]: (_request, response) => {
        const logs = windows[look++] ?? [];
        json(response, 200, taskDetail({ status: look < windows.length ? 'running' : 'completed', logs }));
      },
    });
    const ran = await runCli(['tasks', 'logs', TASK_ID, '--follow', ...target]);
    expect(ran.exit).toBe(0);
    expect(ran.lines.map(({ message }) => message)).toEqual(all.map(({ message }) => message));
  }, 15_000);

  test('without --follow they come once; what they hold cannot drive the terminal', async () => {
    const target = await serve({
      [DETAIL]: (_request, response) => json(response, 200, taskDetail({ logs: [log('a\u001b[2Jb', 1)] })),
    });
    const ran = await runCli(['tasks', 'logs', TASK_ID, ...target], { terminal: 80 });
    expect(ran.stdout).toBe('2026-03-01T10:00:01.000Z info  a [2Jb\n');
  });

  test('a gap is told', () => {
    const fresh = newLines<ReturnType<typeof log>>();
    expect(fresh([log('a', 1)])).toEqual({ lines: [log('a', 1)], missed: false });
    expect(fresh([log('b', 2)])).toEqual({ lines: [log('b', 2)], missed: true });
    expect(fresh([])).toEqual({ lines: [], missed: false });
  });
});
