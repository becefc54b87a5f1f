/** Rate limits at the doors: two API processes on one Postgres, HTTP and MCP, headers and refusals. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createApi } from '../../../src/api/app.ts';
import type { Deps } from '../../../src/deps.ts';
import { createLog } from '../../../src/logging.ts';
import { createMcpDoor } from '../../../src/mcp/door.ts';
import { allowedHosts } from '../../../src/mcp/guard.ts';
import { accessOperations } from '../../../src/operations/access/index.ts';
import { type AnyOperation, defineOperation } from '../../../src/operations/contract.ts';
import { invoke } from '../../../src/operations/invoke.ts';
import { systemOperations } from '../../../src/operations/system/index.ts';
import { LimitsOutput } from '../../../src/schema/limits.ts';
import type { Principal } from '../../../src/schema/principal.ts';
import { configuredLimits, openLimitStore } from '../../../src/stores/limits.ts';
import { takeQuota } from '../../../src/stores/quotas.ts';
import { openRateLimits } from '../../../src/stores/rate-limits.ts';
import { door, makeKey, openStand, type Stand } from '../api/stand.ts';

const LIMITS = { RATE_LIMIT_READ: '40', RATE_LIMIT_WRITE: '10', RATE_LIMIT_SEARCH: '6', RATE_LIMIT_AGENT: '8' };

const common = {
  summary: 'For tests',
  room: 'system',
  permission: 'files:read',
  input: z.object({ size: z.string().optional() }),
  output: z.object({ ok: z.boolean() }),
  failures: [],
  audited: true,
  run: async () => ({ ok: true }),
} as const;
const change = defineOperation({
  ...common,
  name: 'test.change',
  permission: 'files:write',
  http: { method: 'post', path: '/test/change', tag: 'Test' },
});
const find = defineOperation({
  ...common,
  name: 'test.find',
  rate: 'search',
  http: { method: 'post', path: '/test/find', tag: 'Test' },
});
const work = defineOperation({
  ...common,
  name: 'test.work',
  permission: 'agents:work',
  http: { method: 'post', path: '/test/work', tag: 'Test' },
});
const operations: AnyOperation[] = [change, find, work, ...systemOperations, ...accessOperations];

let stand: Stand;
let apis: { request: ReturnType<typeof createApi>['request'] }[];
beforeAll(async () => {
  stand = await openStand({}, { ...LIMITS, TASKS_PER_DAY: '50' });
  apis = [0, 1].map(() => {
    const deps: Deps = {
      ...stand.deps,
      limits: openRateLimits({
        store: openLimitStore(stand.deps.config, stand.deps.pool),
        limits: configuredLimits(stand.deps.config),
        log: createLog('silent', 'test'),
      }),
    };
    const mcp = createMcpDoor({
      operations,
      invoke: (operation, call, input) => invoke(deps, operation, call, input),
      tasks: {
        get: async () => null,
        cancel: async () => {},
        list: async () => ({ tasks: [], nextCursor: null }),
        result: async () => ({ output: null }),
      },
      resources: { list: async () => [], read: async () => null },
      log: deps.log,
      version: '0.0.0',
      hosts: allowedHosts(deps.config),
      bodySeconds: deps.config.BODY_TIMEOUT,
    });
    return createApi({ ...door(deps), operations, mcp });
  });
});
afterAll(() => stand.close());

async function call(api: number, key: string, method: string, path: string, body?: string): Promise<Response> {
  const answer = await apis[api]?.request(`http://127.0.0.1${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body }),
  });
  if (!answer) throw new Error(`there is no API ${api}`);
  return answer;
}

/** Statuses of `times` calls, spread over both processes. */
async function spread(key: string, method: string, path: string, times: number): Promise<number[]> {
  const answers = await Promise.all(Array.from({ length: times }, (_, at) => call(at % 2, key, method, path)));
  return answers.map((answer) => answer.status);
}
const count = (statuses: number[], status: number) => statuses.filter((one) => one === status).length;

describe('over two API processes', () => {
  it.each([
    ['read', 'GET', '/api/v1/whoami', 40],
    ['write', 'POST', '/test/change', 10],
    ['search', 'POST', '/test/find', 6],
  ] as const)('the class %s lets exactly its limit through', async (_class, method, path, limit) => {
    const { key } = await makeKey(stand.deps, 'admin');
    const statuses = await spread(key, method, path, limit + 20);
    expect(count(statuses, 200)).toBe(limit);
    expect(count(statuses, 429)).toBe(20);
  });

  it('counts all that an agent does as one class', async () => {
    const { key } = await makeKey(stand.deps, 'agent');
    const statuses = [
      ...(await spread(key, 'POST', '/test/work', 5)),
      ...(await spread(key, 'GET', '/api/v1/whoami', 5)),
    ];
    expect(count(statuses, 200)).toBe(8);
    expect(count(statuses, 429)).toBe(2);
  });

  it('two keys of one caller share a limit, and another caller has its own', async () => {
    const first = await makeKey(stand.deps, 'developer');
    const second = await makeKey(stand.deps, 'developer', { principal_id: first.principal_id });
    const other = await makeKey(stand.deps, 'developer');
    await spread(first.key, 'POST', '/test/change', 10);
    expect((await call(0, second.key, 'POST', '/test/change')).status).toBe(429);
    expect((await call(0, other.key, 'POST', '/test/change')).status).toBe(200);
  });
});

describe('what a caller is told', () => {
  it('the fields stand on every answer behind authentication, and count down', async () => {
    const { key } = await makeKey(stand.deps, 'viewer');
    const paths = [
      '/api/v1/whoami',
      '/docs',
      '/openapi.json',
      '/nothing/here',
      '/api/v1/keys',
      '/api/v1/audit?limit=x',
    ];
    for (const [at, path] of paths.entries()) {
      const { headers } = await call(0, key, 'GET', path);
      expect([path, headers.get('ratelimit-limit'), headers.get('ratelimit-remaining')]).toEqual([
        path,
        '40',
        String(39 - at),
      ]);
      expect(Number(headers.get('ratelimit-reset'))).toBeGreaterThan(50);
      expect(headers.get('ratelimit-policy')).toBe('40;w=60');
    }
    const wrong = await call(0, `${key}x`, 'GET', '/api/v1/whoami');
    expect([wrong.status, wrong.headers.get('ratelimit-limit')]).toEqual([401, null]);
  });

  it('a refusal says when to come back, reads no body and leaves no audit row', async () => {
    const { key, principal_id } = await makeKey(stand.deps, 'developer');
    await spread(key, 'POST', '/test/change', 10);
    const rows = () =>
      stand.deps.db.selectFrom('audit_log').select('outcome').where('principal_id', '=', principal_id).execute();
    const before = await rows();
    expect(before).toHaveLength(10);
    let wasRead = false;
    const body = new ReadableStream(
      {
        pull(controller) {
          wasRead = true;
          controller.enqueue(new TextEncoder().encode('{"size":"x"}'));
          controller.close();
        },
      },
      { highWaterMark: 0 },
    );
    const request = new Request('http://127.0.0.1/test/change', {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body,
      duplex: 'half',
    } as RequestInit);
    const refused = await (apis[0] as (typeof apis)[number]).request(request);
    expect(refused.status).toBe(429);
    expect(wasRead).toBe(false);
    expect(await refused.json()).toMatchObject({ code: 'too_many_requests', status: 429 });
    expect(refused.headers.get('retry-after')).toBe(refused.headers.get('ratelimit-reset'));
    expect(refused.headers.get('ratelimit-remaining')).toBe('0');
    expect(await rows()).toEqual(before);
    const metrics = await stand.deps.metrics.registry.metrics();
    expect(metrics).toMatch(/ostinato_rate_limited_total\{class="write",process="api"\} [1-9]/);
    expect(metrics).toMatch(/ostinato_failures_total\{room="system",code="too_many_requests",process="api"\} [1-9]/);
  });

  it('limits.get tells what is used of the minute and of the day, over both processes', async () => {
    const { key, principal_id } = await makeKey(stand.deps, 'developer');
    await spread(key, 'POST', '/test/change', 4);
    await stand.deps.db
      .transaction()
      .execute((trx) => takeQuota(trx, { principal_id, kind: 'tasks', limit: 50, at: new Date(), amount: 7 }));
    const answer = await call(1, key, 'GET', '/api/v1/limits');
    const { rate_limits, quotas } = LimitsOutput.parse(await answer.json());
    const byClass = Object.fromEntries(rate_limits.map((one) => [one.class, one]));
    expect(byClass.write).toMatchObject({ limit: 10, used: 4, remaining: 6, window_seconds: 60 });
    expect(byClass.search).toMatchObject({ limit: 6, used: 0, remaining: 6, reset_seconds: 0 });
    const midnight = `${new Date(Date.now() + 86_400_000).toISOString().slice(0, 10)}T00:00:00.000Z`;
    expect(quotas).toEqual([{ kind: 'tasks', limit: 50, used: 7, remaining: 43, resets_at: midnight }]);
  });
});

describe('MCP', () => {
  const rpc = (key: string, name: string) =>
    apis[0]?.request('http://127.0.0.1/mcp', {
      method: 'POST',
      headers: {
        authorization: `Bearer ${key}`,
        'content-type': 'application/json',
        host: '127.0.0.1',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2025-11-25',
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: { name: 'call_tool', arguments: { name, arguments: {} } },
      }),
    }) as Promise<Response>;

  it('counts each tool by its own class, and the message itself as read', async () => {
    const { key } = await makeKey(stand.deps, 'developer');
    const texts: string[] = [];
    for (let at = 0; at < 12; at += 1) texts.push(await (await rpc(key, 'test.change')).text());
    expect(texts.filter((text) => text.includes('too_many_requests'))).toHaveLength(2);
    // The same limit at the other door.
    expect((await call(1, key, 'POST', '/test/change')).status).toBe(429);
    const answer = await rpc(key, 'test.change');
    expect(answer.headers.get('ratelimit-limit')).toBe('40');
    expect(await answer.text()).toContain('retry_after_seconds');
    await spread(key, 'GET', '/api/v1/whoami', 40);
    // A process may still hold the rest of a handful, which is two points here; the third call has none.
    const statuses: number[] = [];
    for (let at = 0; at < 3; at += 1) statuses.push((await rpc(key, 'test.find')).status);
    expect(statuses[2]).toBe(429);
  });
});

describe('what a workflow does for its caller', () => {
  it("counts as the caller's own, and leaves the last fifth for the caller's own hand", async () => {
    const { deps } = stand;
    const caller: Principal = {
      id: 'delegate',
      name: 'd',
      role: 'developer',
      grants: [],
      via: 'delegated',
      keyId: null,
    };
    const invocation = {
      principal: caller,
      requestId: 'r',
      address: null,
      idempotencyKey: null,
      signal: new AbortController().signal,
      report: () => {},
    };
    const over = { code: 'too_many_requests' };
    for (let at = 0; at < 8; at += 1) expect(await invoke(deps, change, invocation, {})).toEqual({ ok: true });
    await expect(invoke(deps, change, invocation, {})).rejects.toMatchObject(over);
    const own = { ...invocation, principal: { ...caller, via: 'api_key' as const } };
    for (let at = 0; at < 2; at += 1) expect(await invoke(deps, change, own, {})).toEqual({ ok: true });
    await expect(invoke(deps, change, own, {})).rejects.toMatchObject(over);
  });
});
