/** One measured server as its own process: `node serve.ts NAME` prints the address and serves until it is stopped. */
import { randomUUID } from 'node:crypto';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import type { Deps } from '../../src/deps.ts';
import { createMcpDoor } from '../../src/mcp/door.ts';
import { allowedHosts } from '../../src/mcp/guard.ts';
import { invoke } from '../../src/operations/invoke.ts';
import { bareCurrent, registeredCurrent } from './bare-current.ts';
import { barePrevious, registeredPrevious } from './bare-previous.ts';
import { BENCH_PRINCIPAL, NOOP_OPERATIONS } from './tools.ts';

/** The whole door, with the house's own `invoke` in it. */
function door(): (request: Request) => Promise<Response> {
  const metrics = { requests: { inc: () => {} }, requestSeconds: { observe: () => {} } };
  const limits = { take: () => null };
  const deps = { metrics, limits, log: { error: () => {} } } as unknown as Deps;
  const { handle } = createMcpDoor({
    operations: NOOP_OPERATIONS,
    invoke: (operation, call, input) => invoke(deps, operation, call, input),
    tasks: {
      get: async () => null,
      cancel: async () => {},
      list: async () => ({ tasks: [], nextCursor: null }),
      result: async () => ({ output: null }),
    },
    resources: { list: async () => [], read: async () => null },
    log: { warn: () => {}, error: () => {} },
    version: '1.0.0',
    hosts: allowedHosts({ HOST: '127.0.0.1', ALLOWED_HOSTS: [], publicUrl: 'http://127.0.0.1' }),
    bodySeconds: 30,
  });
  return (request) => handle(request, BENCH_PRINCIPAL, { requestId: randomUUID(), address: '127.0.0.1' });
}

const SERVERS: Record<string, () => (request: Request) => Promise<Response>> = {
  door,
  'bare-current': bareCurrent,
  'registered-current': registeredCurrent,
  'bare-previous': barePrevious,
  'registered-previous': registeredPrevious,
};

const make = SERVERS[process.argv[2] ?? ''];
if (!make) throw new Error(`which server? one of ${Object.keys(SERVERS).join(', ')}`);
const answer = make();
const app = new Hono();
app.all('/mcp', async (c) => answer(c.req.raw));
serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, (info) => {
  console.log(`http://127.0.0.1:${info.port}/mcp`);
});
process.on('message', () => process.send?.(process.cpuUsage()));
// Ends with the process that measures.
process.stdin.resume().on('end', () => process.exit(0));
