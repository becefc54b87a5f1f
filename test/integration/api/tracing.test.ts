/** One trace from a request through its workflow to the activity, as a collector receives it. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, NativeConnection, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { createApi } from '../../../src/api/app.ts';
import { connectTemporal, dataConverter } from '../../../src/clients/temporal.ts';
import { defineOperation } from '../../../src/operations/contract.ts';
import { startTracing, type Tracing } from '../../../src/tracing.ts';
import { makeKey, openStand, type Stand } from './stand.ts';

interface Span {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
}

const spans: Span[] = [];
let collector: Server;
let stand: Stand;
let tracing: Tracing | null;

beforeAll(async () => {
  collector = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const { resourceSpans } = JSON.parse(text) as { resourceSpans: { scopeSpans: { spans: Span[] }[] }[] };
    spans.push(...resourceSpans.flatMap((resource) => resource.scopeSpans.flatMap((scope) => scope.spans)));
    response.end('{}');
  });
  await once(collector.listen(0, '127.0.0.1'), 'listening');
  const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
  stand = await openStand({}, { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint });
  tracing = await startTracing(stand.deps.config, { service: 'test', log: stand.deps.log });
});
afterAll(async () => {
  await stand.close();
  collector.close();
});

it('joins the request, the workflow and its activity below the trace of the caller', async () => {
  if (tracing === null) throw new Error('tracing is off');
  const { config } = stand.deps;
  const connection = await NativeConnection.connect({ address: config.TEMPORAL_ADDRESS ?? '' });
  const worker = await Worker.create({
    connection,
    namespace: config.TEMPORAL_NAMESPACE,
    taskQueue: 'tracing',
    dataConverter: dataConverter(config),
    workflowBundle: await bundleWorkflowCode({
      workflowsPath: fileURLToPath(new URL('./tracing-workflow.ts', import.meta.url)),
      workflowInterceptorModules: tracing.worker.workflowModules,
    }),
    activities: { greet: async (name: string) => `Hello ${name}` },
    interceptors: tracing.worker.interceptors,
    sinks: tracing.worker.sinks,
  });
  const temporal = await connectTemporal(config, tracing.client);
  const greet = defineOperation({
    name: 'test.greet',
    summary: 'Greet',
    room: 'system',
    permission: 'files:read',
    input: z.object({}),
    output: z.object({ said: z.string() }),
    http: { method: 'post', path: '/test/greet', tag: 'Test' },
    failures: [],
    audited: false,
    run: async ({ requestId }) => ({
      said: await temporal.client.workflow.execute('traced', {
        taskQueue: 'tracing',
        workflowId: requestId,
        args: ['you'],
      }),
    }),
  });
  const api = createApi({ deps: stand.deps, operations: [greet] });
  const { key } = await makeKey(stand.deps, 'viewer');
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  const headers = { 'x-api-key': key, traceparent: `00-${traceId}-b7ad6b7169203331-01` };
  const response = await worker.runUntil(async () => api.request('/test/greet', { method: 'POST', headers }));
  expect(await response.json()).toEqual({ said: 'Hello you' });
  await temporal.close();
  await connection.close();
  await tracing.close();

  const ours = spans.filter((span) => span.traceId === traceId);
  const byId = new Map(ours.map((span) => [span.spanId, span]));
  const path: string[] = [];
  for (let at = ours.find(({ name }) => name === 'RunActivity:greet'); at; at = byId.get(at.parentSpanId ?? '')) {
    path.unshift(at.name);
  }
  expect(path).toEqual([
    'test.greet',
    'StartWorkflow:traced',
    'RunWorkflow:traced',
    'StartActivity:greet',
    'RunActivity:greet',
  ]);
  expect(ours.find(({ name }) => name === 'test.greet')?.parentSpanId).toBe('b7ad6b7169203331');
});
