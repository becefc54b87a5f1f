/** The ways a task can go, recorded: an agent of this process plays its part in each. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Client } from '@temporalio/client';
import { MESSAGES, QUEUES, WORKFLOWS } from '../../src/schema/names.ts';
import type { RunTaskInput } from '../../src/schema/task-flow.ts';
import type { System } from '../support/system.ts';
import type { Recorded } from './scenarios.ts';

const CAPABILITY = 'of-the-recorder';

/** `system` must let calls to `localhost` through. */
export async function runTaskScenarios(system: System, client: Client): Promise<Recorded[]> {
  let play: (attempt: number) => { status: number; body?: object; afterMs?: number } = () => ({
    status: 200,
    body: {},
  });
  let called = 0;
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const task = request.method === 'POST' ? JSON.parse(Buffer.concat(chunks).toString()) : null;
      const { status, body, afterMs = 0 } = task ? play(task.attempt) : { status: 204 };
      if (task) called += 1;
      const answer = () =>
        response.writeHead(status, { 'content-type': 'application/json' }).end(body ? JSON.stringify(body) : '');
      setTimeout(answer, afterMs);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const registered = await must(201, system, 'POST', '/api/v1/agents/register', {
    name: 'recorder',
    capabilities: [CAPABILITY],
    endpoints: { task: `http://localhost:${(server.address() as AddressInfo).port}/task` },
    max_concurrency: 10,
  });
  const asAgent = { authorization: `Bearer ${registered.token}` };
  const recorded: Recorded[] = [];

  /** Submits a task that the agent answers as `parts` say, one an attempt, and waits until it was called. */
  async function begin(...parts: (typeof play)[]): Promise<string> {
    play = (attempt) => (parts[attempt - 1] ?? (() => ({ status: 200, body: {} })))(attempt);
    const before = called;
    const task = { type: 'processing', executor: 'agent', capabilities: [CAPABILITY] };
    const { task_id } = await must(202, system, 'POST', '/api/v1/tasks', task);
    await poll(async () => called > before);
    return task_id;
  }
  const accepts = () => ({ status: 202 });
  const complete = (id: string, attempt: number) =>
    must(200, system, 'POST', `/api/v1/tasks/${id}/complete`, { attempt, result: { done: true } }, asAgent);
  const isRunning = async (id: string) => (await must(200, system, 'GET', `/api/v1/tasks/${id}`)).status === 'running';
  const keep = async (name: string, workflowId: string) => {
    await client.workflow
      .getHandle(workflowId)
      .result()
      .catch(() => {});
    recorded.push({ name: `runTask-${name}`, workflowId });
  };
  try {
    await keep('answered', await begin());
    await keep('slow', await begin(() => ({ status: 200, body: {}, afterMs: 600 })));

    const reported = await begin(accepts);
    await poll(() => isRunning(reported));
    await complete(reported, 1);
    await keep('reported', reported);

    await keep('retried', await begin(() => ({ status: 422, body: { detail: 'not this time' } })));

    const lost = await begin(accepts);
    await poll(() => isRunning(lost));
    await client.workflow.getHandle(lost).signal(MESSAGES.agentLost, { attempt: 1 });
    await keep('lost', lost);

    const cancelled = await begin(accepts);
    await poll(() => isRunning(cancelled));
    await must(202, system, 'POST', `/api/v1/tasks/${cancelled}/cancel`);
    await keep('cancelled', cancelled);

    const input = { config: { rows: [{ n: 1 }] } };
    const builtin = await must(202, system, 'POST', '/api/v1/tasks', {
      type: 'data-ingestion',
      executor: 'builtin',
      payload: input,
      retry_count: 0,
    });
    await keep('builtin', builtin.task_id);

    recorded.push(await continued());
    await keep('carried', await carried());
  } finally {
    server.closeAllConnections();
    server.close();
  }
  return recorded;

  /** The same task under a run that continues as new early; recorded is the run that did. */
  async function continued(): Promise<Recorded> {
    const task = { type: 'processing', executor: 'agent', capabilities: ['nobody-has-it'] };
    const { task_id } = await must(202, system, 'POST', '/api/v1/tasks', task);
    const { owner } = await must(200, system, 'GET', `/api/v1/tasks/${task_id}/detail`);
    const runId = await runAnew(task_id, owner);
    await poll(async () => (await client.workflow.getHandle(task_id).describe()).runId !== runId);
    await must(202, system, 'POST', `/api/v1/tasks/${task_id}/cancel`);
    return { name: 'runTask-continued', workflowId: task_id, runId };
  }

  /** A task whose second attempt is made, and reported on, in a run that was begun with what an earlier one knew. */
  async function carried(): Promise<string> {
    const id = await begin(accepts, accepts);
    await poll(() => isRunning(id));
    const { owner } = await must(200, system, 'GET', `/api/v1/tasks/${id}/detail`);
    const runId = await runAnew(id, owner);
    const not = { attempt: 1, error: { code: 'NOT_YET', message: 'not this time' } };
    await must(200, system, 'POST', `/api/v1/tasks/${id}/fail`, not, asAgent);
    await poll(async () => (await client.workflow.getHandle(id).describe()).runId !== runId);
    await poll(() => isRunning(id));
    await complete(id, 2);
    return id;
  }

  /** Begins the task's workflow in place of the one there is, such that it soon continues as new. */
  async function runAnew(task_id: string, owner: string): Promise<string> {
    const args: [RunTaskInput] = [
      { task_id, owner, attempt: 1, timeout_seconds: 3600, assigned: true, in_place: true, history_limit: 5 },
    ];
    const handle = await client.workflow.start(WORKFLOWS.runTask, {
      workflowId: task_id,
      taskQueue: QUEUES.workflows,
      args,
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      workflowIdConflictPolicy: 'TERMINATE_EXISTING',
    });
    return handle.firstExecutionRunId;
  }
}

async function must(
  status: number,
  system: System,
  method: string,
  path: string,
  body?: Record<string, unknown>,
  headers?: Record<string, string>,
): Promise<any> {
  const answer = await system.call(method, path, body, headers);
  if (answer.status !== status) throw new Error(`${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

async function poll(test: () => Promise<boolean>): Promise<void> {
  while (!(await test())) await new Promise((resolve) => setTimeout(resolve, 50));
}
