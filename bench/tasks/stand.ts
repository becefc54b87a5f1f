/** The whole system with agents on loopback, and beside it a bare worker on the same engine. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import pg from 'pg';
import { dataConverter } from '../../src/clients/temporal.ts';
import { freePort } from '../../src/local/ports.ts';
import { readRuntime } from '../../src/local/runtime.ts';
import { loadConfig } from '../../src/schema/config.ts';
import { removeDataDir, type System, startSystem } from '../../test/support/system.ts';
import { embeddedDatabaseUrl } from '../../test/support/truth.ts';

const KEY = '11'.repeat(32);
/** Time for writes that the engine makes after it has told that a workflow is over. */
const SETTLE_MS = 50;
const WORKFLOWS = fileURLToPath(new URL('./workflows.ts', import.meta.url));

export interface Bench {
  system: System;
  client: Client;
  database: pg.Client;
  /** Starts the bare workflow; `ran` is told when its activity runs. */
  startBare(id: string): Promise<void>;
  /** Told by each bare activity, with its id. */
  onBare(listener: (id: string) => void): void;
  closedBare(): Promise<number>;
  /** Resolves when the workflow is over and the engine has nothing left to write of it: the next one starts in peace. */
  closed(workflowId: string): Promise<void>;
  close(): Promise<void>;
}

export async function openBench(env: Record<string, string>): Promise<Bench> {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const port = await freePort();
  const system = await startSystem({
    POSTGRES_PORT: String(port),
    PAYLOAD_KEY: KEY,
    EGRESS_ALLOW: '127.0.0.1',
    ...env,
  });
  const address = readRuntime(system.dataDir)?.addresses.temporal ?? '';
  const database = new pg.Client({ connectionString: embeddedDatabaseUrl(system.dataDir, port) });
  database.on('error', () => {});
  await database.connect();
  const converter = dataConverter(loadConfig({ env: { PAYLOAD_KEY: KEY }, cwd: system.dataDir }));
  const native = await NativeConnection.connect({ address });
  const connection = await Connection.connect({ address });
  const client = new Client({ connection, dataConverter: converter });
  let listener: (id: string) => void = () => {};
  const shared = { connection: native, dataConverter: converter };
  const workers = await Promise.all([
    Worker.create({ ...shared, taskQueue: 'bench', workflowsPath: WORKFLOWS, maxCachedWorkflows: 500 }),
    Worker.create({
      ...shared,
      taskQueue: 'bench-activities',
      maxConcurrentActivityTaskExecutions: 200,
      activities: { bareActivity: async (id: string) => listener(id) },
    }),
  ]);
  const running = workers.map((worker) => worker.run());
  return {
    system,
    client,
    database,
    startBare: async (id) => {
      await client.workflow.start('bareTask', { taskQueue: 'bench', workflowId: `bare-${id}`, args: [id] });
    },
    onBare: (next) => {
      listener = next;
    },
    closedBare: async () =>
      (await client.workflow.count("WorkflowType = 'bareTask' AND ExecutionStatus = 'Completed'")).count,
    async closed(workflowId) {
      await client.workflow.getHandle(workflowId).result();
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    },
    async close() {
      for (const worker of workers) worker.shutdown();
      await Promise.all(running);
      await connection.close();
      await native.close();
      await database.end();
      await system.stop();
      removeDataDir(system);
    },
  };
}

export interface BenchAgent {
  id: string;
  close(): Promise<void>;
}

/** Registers an agent at which `onTask` takes the ids of tasks; it answers 200 when that resolves. */
export async function startAgent(
  system: System,
  name: string,
  options: { concurrency: number; onTask(taskId: string): Promise<void> | void },
): Promise<BenchAgent> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      const task = chunks.length === 0 ? null : JSON.parse(Buffer.concat(chunks).toString());
      if (task) await options.onTask(task.task_id);
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { status, body } = await system.call('POST', '/api/v1/agents/register', {
    name,
    capabilities: ['processing'],
    endpoints: { task: `${base}/task`, health: `${base}/health` },
    max_concurrency: options.concurrency,
  });
  if (status !== 201) throw new Error(`the agent was not registered: ${JSON.stringify(body)}`);
  return {
    id: body.agent_id,
    async close() {
      await system.call('DELETE', `/api/v1/agents/${body.agent_id}`);
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

export async function submit(system: System): Promise<string> {
  const { status, body } = await system.call('POST', '/api/v1/tasks', { type: 'processing', executor: 'agent' });
  if (status !== 202) throw new Error(`the task was not accepted: ${JSON.stringify(body)}`);
  return body.task_id;
}

/** `count` times `act`, `atOnce` at a time. */
export async function inParallel(count: number, atOnce: number, act: (n: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const one = async () => {
    while (next < count) await act(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, one));
}

export async function until(test: () => Promise<boolean>): Promise<void> {
  while (!(await test())) await new Promise((resolve) => setTimeout(resolve, 50));
}
