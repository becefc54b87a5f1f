/** MAX_CONCURRENT_TASKS over two worker processes, one of which is killed: counted by the agent that does the tasks. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { System } from '../support/system.ts';
import { caller, openStage, type Stage, until } from './outside.ts';

const TASKS = 500;
const CAP = 50;
const CALLERS = 10;
/** Done by the time the agent waits for all places to be taken once more. */
const HALF = 250;
/** How long all places stay taken, so that one too many would be seen. */
const WATCHED_MS = 1_000;
const TASK_MS = 60;

interface Work {
  done: Promise<void>;
  calls: number;
}

let stage: Stage;
let second: ChildProcess;
let server: Server;

/** Every task by the id of its call: one that is called again, since a worker died, is still one. */
const works = new Map<string, Work>();
let held = 0;
let most = 0;
let done = 0;
let gate = closed();

function closed(): { opened: Promise<void>; open(): void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

async function work(): Promise<void> {
  held += 1;
  most = Math.max(most, held);
  await gate.opened;
  await sleep(TASK_MS);
  held -= 1;
  done += 1;
  if (done === HALF) gate = closed();
}

beforeAll(async () => {
  stage = await openStage({
    EMBEDDINGS: 'off',
    EGRESS_ALLOW: '127.0.0.1',
    MAX_CONCURRENT_TASKS: String(CAP),
    LOG_LEVEL: 'error',
  });
  second = await stage.secondWorker();
  server = createServer((request, response) => {
    request.resume().on('end', async () => {
      // Asked for its health, which counts as a heartbeat.
      if (request.method === 'GET') return void response.writeHead(204).end();
      const id = String(request.headers['webhook-id']);
      const known = works.get(id) ?? { done: work(), calls: 0 };
      works.set(id, known);
      known.calls += 1;
      await known.done;
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { status, body } = await stage.system().call('POST', '/api/v1/agents/register', {
    name: 'counts',
    capabilities: ['counting'],
    endpoints: { task: `${base}/task`, health: `${base}/health` },
    max_concurrency: 1_000,
  });
  expect(status, JSON.stringify(body)).toBe(201);
}, 120_000);
afterAll(async () => {
  gate.open();
  server?.closeAllConnections();
  server?.close();
  await stage?.close();
});

it('never lets more than the cap run, and all of that, also when a worker dies', async () => {
  const ids = await submitAll();
  expect(new Set(ids).size).toBe(TASKS);
  await allPlacesTaken();
  second.kill('SIGKILL');
  await once(second, 'exit');
  gate.open();
  // Again every place: what the dead one held was neither lost nor given out twice.
  await until(async () => done >= HALF, 90);
  await allPlacesTaken();
  gate.open();

  await until(async () => done === TASKS, 90);
  await until(async () => (await count("phase <> 'closed'")) === 0, 90);
  expect(most).toBe(CAP);
  expect(await count("status = 'completed'")).toBe(TASKS);
  expect(await count('slot')).toBe(0);
  expect(done).toBe(TASKS);
  // Both workers had some of the first ones: only those of the dead one were called again.
  const again = [...works.values()].filter(({ calls }) => calls > 1).length;
  expect(again).toBeGreaterThan(0);
  expect(again).toBeLessThan(CAP);
  const ends = await stage.rows(
    `select t.task_id, count(a.*)::int as completions from tasks t
       left join task_attempts a on a.task_id = t.task_id and a.status = 'completed'
      group by 1 having count(a.*) <> 1`,
  );
  expect(ends).toEqual([]);
  const told = await stage.rows(
    `select resource from event_log where name = 'task.updated' and data->>'status' = 'completed' group by 1
     having count(*) = 1`,
  );
  expect(told).toHaveLength(TASKS);
}, 300_000);

async function submitAll(): Promise<string[]> {
  const ids: string[] = [];
  // Submissions of one caller come one after another, since they count against one quota.
  const callers = await Promise.all(Array.from({ length: CALLERS }, () => caller(stage.system(), 'developer')));
  const one = async (by: System) => {
    const { status, body } = await by.call('POST', '/api/v1/tasks', {
      type: 'processing',
      executor: 'agent',
      capabilities: ['counting'],
    });
    expect(status, JSON.stringify(body)).toBe(202);
    ids.push(body.task_id);
  };
  // Many at any moment, also when the last places are given out.
  let left = TASKS;
  const some = async (by: System) => {
    while (left-- > 0) await one(by);
  };
  await Promise.all([...callers, ...callers].map(some));
  return ids;
}

async function allPlacesTaken(): Promise<void> {
  await until(async () => held >= CAP, 90);
  await sleep(WATCHED_MS);
  expect(held).toBe(CAP);
}

async function count(where: string): Promise<number> {
  const [row] = await stage.rows<{ n: number }>(`select count(*)::int as n from tasks where ${where}`);
  return row?.n ?? -1;
}
