/** What tests of tasks stand on: real database, real engine, real workers, the API on a socket, and agents of all kinds. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { createApi } from '../../../src/api/app.ts';
import { listen, type RunningServer } from '../../../src/api/server.ts';
import { createDeps, type Deps } from '../../../src/deps.ts';
import { freePort } from '../../../src/local/ports.ts';
import { createLog } from '../../../src/logging.ts';
import { operations } from '../../../src/operations/index.ts';
import { QUEUES, type Role, WORKFLOWS } from '../../../src/schema/names.ts';
import type { Grant } from '../../../src/schema/principal.ts';
import type { RunTaskInput } from '../../../src/schema/task-flow.ts';
import { type RunningWorkers, runWorkers } from '../../../src/workers/run.ts';
import { type TestStack, testStack } from '../../support/stack.ts';
import { makeKey } from '../api/stand.ts';

// The workers' own lines are no news.
Runtime.install({ logger: new DefaultLogger('ERROR'), telemetryOptions: { logging: { forward: {}, filter: 'OFF' } } });

export interface Answer {
  status: number;
  body: any;
}

export interface Caller {
  id: string;
  call(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
    signal?: AbortSignal,
  ): Promise<Answer>;
}

export interface TestAgent extends Caller {
  /** Takes the next tasks. */
  claim(body?: object): Promise<any[]>;
}

export interface Stand {
  deps: Deps;
  stack: TestStack;
  url: string;
  caller(role?: Role, grants?: Grant[], id?: string): Promise<Caller>;
  /** Registers an agent; without endpoints it pulls. */
  agent(registration: object): Promise<TestAgent>;
  submit(caller: Caller, task: object): Promise<string>;
  /** Looks until `test` says yes to the detail of the task. */
  until(caller: Caller, taskId: string, test: (detail: any) => boolean): Promise<any>;
  untilStatus(caller: Caller, taskId: string, ...statuses: string[]): Promise<any>;
  /** More workers in this process, with dependencies of their own. */
  moreWorkers(): Promise<void>;
  close(): Promise<void>;
}

export async function openStand(env: Record<string, string> = {}, options: { workers?: boolean } = {}): Promise<Stand> {
  const stack = await testStack();
  const port = await freePort();
  const config = stack.config({
    SERVER_PORT: String(port),
    EGRESS_ALLOW: '127.0.0.1',
    LOG_LEVEL: 'silent',
    RATE_LIMIT_WRITE: '0',
    RATE_LIMIT_READ: '0',
    RATE_LIMIT_AGENT: '0',
    ...env,
  });
  const log = createLog('silent', 'test');
  const opened: Deps[] = [];
  const running: RunningWorkers[] = [];
  const open = async () => {
    const deps = await createDeps(config, { log, applicationName: 'test', writesVectors: opened.length === 0 });
    opened.push(deps);
    return deps;
  };
  const deps = await open();
  const server: RunningServer = await listen(createApi({ deps, operations }), { port, hostname: '127.0.0.1' });
  const url = `http://127.0.0.1:${port}`;
  if (options.workers !== false) running.push(await runWorkers(deps));

  const as = (key: string, id: string): Caller => ({
    id,
    async call(method, path, body, headers = {}, signal) {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${key}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal ? { signal } : {}),
      });
      const text = await response.text();
      return { status: response.status, body: text === '' ? null : JSON.parse(text) };
    },
  });

  const stand: Stand = {
    deps,
    stack,
    url,
    async caller(role = 'analyst', grants = [], id) {
      const { key, principal_id } = await makeKey(deps, role, { grants, ...(id ? { principal_id: id } : {}) });
      return as(key, principal_id);
    },
    async agent(registration) {
      const operator = await stand.caller('operator');
      const { status, body } = await operator.call('POST', '/api/v1/agents/register', registration);
      if (status !== 201) throw new Error(`registering answered ${status}: ${JSON.stringify(body)}`);
      const agent = as(body.token, body.agent_id);
      return {
        ...agent,
        async claim(request = {}) {
          const claimed = await agent.call('POST', `/api/v1/agents/${body.agent_id}/tasks/claim`, request);
          if (claimed.status !== 200)
            throw new Error(`claiming answered ${claimed.status}: ${JSON.stringify(claimed.body)}`);
          return claimed.body.tasks;
        },
      };
    },
    async submit(caller, task) {
      const { status, body } = await caller.call('POST', '/api/v1/tasks', { type: 'processing', ...task });
      if (status !== 202) throw new Error(`submitting answered ${status}: ${JSON.stringify(body)}`);
      return body.task_id;
    },
    async until(caller, taskId, test) {
      const end = Date.now() + 30_000;
      for (;;) {
        const { body } = await caller.call('GET', `/api/v1/tasks/${taskId}/detail`);
        if (test(body)) return body;
        if (Date.now() > end) throw new Error(`waited in vain; the task is ${JSON.stringify(body)}`);
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    },
    untilStatus: (caller, taskId, ...statuses) =>
      stand.until(caller, taskId, ({ status }) => statuses.includes(status)),
    async moreWorkers() {
      running.push(await runWorkers(await open()));
    },
    async close() {
      for (const workers of running) workers.stop();
      await Promise.all(running.map(({ done }) => done));
      await server.drain(1_000);
      for (const one of opened.reverse()) await one.close();
      await stack.close();
    },
  };
  return stand;
}

export interface PushAgent {
  endpoints: { task: string; status: string };
  /** Bodies of tasks as they came, and of withdrawals. */
  tasks: any[];
  withdrawn: string[];
  close(): Promise<void>;
}

/** A run of the task's workflow in place of the one there is, which takes the task as its rows say it stands. */
export async function runAnew(
  { deps }: Stand,
  task: { task_id: string; owner: string } & Partial<RunTaskInput>,
): Promise<string> {
  const input: RunTaskInput = { attempt: 1, timeout_seconds: 3_600, assigned: true, in_place: true, ...task };
  const handle = await deps.temporal.workflow.start(WORKFLOWS.runTask, {
    workflowId: task.task_id,
    taskQueue: QUEUES.workflows,
    args: [input],
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    workflowIdConflictPolicy: 'TERMINATE_EXISTING',
  });
  return handle.firstExecutionRunId;
}

/** Resolves when the task's agent works on by itself. */
export async function untilLeased({ deps }: Stand, taskId: string): Promise<void> {
  for (;;) {
    const rows = deps.db.selectFrom('tasks').select('lease_until').where('task_id', '=', taskId);
    if ((await rows.executeTakeFirst())?.lease_until) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** What an agent answers. */
interface Said {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
}

/** An agent that is called. What `onTask` answers goes back as it is: 200 with a result, 202, anything. */
export async function pushAgent(
  onTask: (task: any, request: IncomingMessage) => Said | Promise<Said>,
  onStatus: (query: URLSearchParams) => Said = () => ({ status: 404 }),
): Promise<PushAgent> {
  const tasks: any[] = [];
  const withdrawn: string[] = [];
  const server: Server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://agent');
    let answer: Said = { status: 204 };
    if (request.method === 'DELETE') withdrawn.push(url.search);
    else if (request.method === 'POST') {
      const task = JSON.parse(await text(request));
      tasks.push(task);
      answer = await onTask(task, request);
    } else answer = onStatus(url.searchParams);
    response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
    response.end(answer.body === undefined ? '' : JSON.stringify(answer.body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    endpoints: { task: `${base}/task`, status: `${base}/status` },
    tasks,
    withdrawn,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

async function text(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
