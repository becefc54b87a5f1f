/** Making a foreign namespace fit: what is missing is added, what is better is left, what is forbidden is said. */
import { randomBytes } from 'node:crypto';
import { Connection } from '@temporalio/client';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectTemporal } from '../../../src/clients/temporal.ts';
import type { Config } from '../../../src/schema/config.ts';
import { SEARCH_ATTRIBUTES } from '../../../src/schema/names.ts';
import { prepareNamespace } from '../../../src/workers/prepare-namespace.ts';
import { type TestStack, testStack } from '../../support/stack.ts';

const DAY = 86_400;
let stack: TestStack;
let connection: Connection;
const lines: { level: number; msg: string }[] = [];
const log = pino({}, { write: (line: string) => lines.push(JSON.parse(line)) });

beforeAll(async () => {
  stack = await testStack();
  connection = await Connection.connect({ address: stack.temporalAddress });
});
afterAll(async () => {
  await connection?.close();
  await stack?.close();
});

/** Prepares a namespace as a worker does; `change` stands between it and the server. */
async function prepare(
  namespace: string,
  change: (temporal: any) => unknown = (temporal) => temporal,
  env: Record<string, string> = {},
): Promise<string[]> {
  lines.length = 0;
  const config: Config = stack.config({ TEMPORAL_NAMESPACE: namespace, RETENTION_DAYS: '10', ...env });
  const { client, close } = await connectTemporal(config);
  try {
    await prepareNamespace({ temporal: change(client) as typeof client, config }, log);
    return lines.map(({ msg }) => msg);
  } finally {
    await close();
  }
}

const newName = () => `n-${randomBytes(6).toString('hex')}`;

async function register(days: number): Promise<string> {
  const namespace = newName();
  await connection.workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: { seconds: (days * DAY) as never },
  });
  return namespace;
}

async function stateOf(namespace: string) {
  const { config } = await connection.workflowService.describeNamespace({ namespace });
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  const ours = Object.values(SEARCH_ATTRIBUTES).filter((name) => customAttributes?.[name] !== undefined);
  return { days: Number(config?.workflowExecutionRetentionTtl?.seconds) / DAY, attributes: ours.length };
}

const ALL = Object.values(SEARCH_ATTRIBUTES).length;

test('registers one that is missing, and the second time does nothing', async () => {
  const namespace = newName();
  expect(await prepare(namespace)).toEqual(['registered the Temporal namespace', 'added search attributes']);
  expect(await stateOf(namespace)).toEqual({ days: 10, attributes: ALL });
  expect(await prepare(namespace)).toEqual([]);
});

test('raises a short retention and adds the attributes', async () => {
  const namespace = await register(1);
  expect(await prepare(namespace)).toEqual(['raised the retention', 'added search attributes']);
  expect(await stateOf(namespace)).toEqual({ days: 10, attributes: ALL });
});

test('leaves a longer retention', async () => {
  const namespace = await register(20);
  await prepare(namespace);
  expect((await stateOf(namespace)).days).toBe(20);
});

test('says what it may not do, and goes on', async () => {
  const namespace = await register(1);
  const denied = async () => {
    throw Object.assign(new Error('7 PERMISSION_DENIED: no'), { code: 7 });
  };
  const forbidding = (temporal: any) => ({
    workflowService: new Proxy(temporal.workflowService, {
      get: (target, name) => (name === 'updateNamespace' ? denied : target[name].bind(target)),
    }),
    connection: { operatorService: { listSearchAttributes: denied, addSearchAttributes: denied } },
  });
  const said = await prepare(namespace, forbidding);
  expect(said[0]).toMatch(/closed workflows stay 24 hours in this namespace, not 10 days/);
  expect(said[1]).toMatch(/no workflow can start until an operator adds them/);
  expect(lines.map(({ level }) => level)).toEqual([40, 50]);
  expect(await stateOf(namespace)).toEqual({ days: 1, attributes: 0 });
});

test('a missing namespace that cannot be made is an error that names it', async () => {
  const denied = async () => {
    throw Object.assign(new Error('7 PERMISSION_DENIED: no'), { code: 7 });
  };
  const forbidding = (temporal: any) => ({
    workflowService: new Proxy(temporal.workflowService, {
      get: (target, name) => (name === 'registerNamespace' ? denied : target[name].bind(target)),
    }),
  });
  const namespace = newName();
  await expect(prepare(namespace, forbidding)).rejects.toThrow(
    `Temporal has no namespace ${namespace} and it cannot be registered`,
  );
});
