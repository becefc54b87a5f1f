/** Health: what is down, what that means, who sees the details, and that one slow component holds up nobody. */
import { Hono } from 'hono';
import { describe, expect, it } from 'vitest';
import type { Gate } from '../../src/api/authentication.ts';
import type { ApiEnv } from '../../src/api/context.ts';
import { mountHealth } from '../../src/api/health-routes.ts';
import type { Deps } from '../../src/deps.ts';
import type { Role } from '../../src/schema/names.ts';
import type { Principal } from '../../src/schema/principal.ts';
import { createHealth, type HealthReport } from '../../src/services/health.ts';

type Fault = 'refused' | 'silent' | undefined;

function answer(fault: Fault): Promise<unknown> {
  if (fault === 'refused') return Promise.reject(new Error('connect ECONNREFUSED 10.1.2.3:7233'));
  return fault === 'silent' ? new Promise(() => {}) : Promise.resolve({});
}

function appWith(faults: { [component: string]: Fault }, role?: Role): Hono<ApiEnv> {
  const component = (name: string) => ({ kind: 'test', bucket: 'b', dimensions: 8, ping: () => answer(faults[name]) });
  const pollers = [{ identity: 'w', lastAccessTime: { seconds: Math.floor(Date.now() / 1000) } }];
  const deps = {
    config: { dataDir: '.', TEMPORAL_NAMESPACE: 'default', TEMPORAL_ADDRESS: '10.1.2.3:7233' },
    // A database that is away: kysely is not at hand here, and its probe must fail in a row of its own.
    db: {},
    objects: component('objects'),
    vectors: component('vectors'),
    cache: component('cache'),
    embedder: null,
    semanticOff: 'EMBEDDINGS is off',
    temporal: {
      workflowService: {
        describeNamespace: () => answer(faults.temporal),
        describeTaskQueue: () => answer(faults.worker).then(() => ({ pollers: faults.worker ? [] : pollers })),
      },
    },
  } as unknown as Deps;
  const app = new Hono<ApiEnv>();
  const gate = { glance: async () => (role ? ({ role } as Principal) : null) } as unknown as Gate;
  mountHealth(app, { health: createHealth(deps), gate, hasMcp: true });
  return app;
}

describe('GET /health', () => {
  it('names each component; a refused and a silent one are down; 503 when one is needed', async () => {
    const response = await appWith({ temporal: 'silent', vectors: 'refused' }).request('/health');
    const body = (await response.json()) as HealthReport;
    expect(response.status).toBe(503);
    expect(body.status).toBe('down');
    const statuses = Object.entries(body.components).map(([name, { status }]) => [name, status]);
    expect(Object.fromEntries(statuses)).toEqual({
      temporal: 'down',
      postgres: 'down',
      objects: 'up',
      vectors: 'down',
      cache: 'up',
      embeddings: 'off',
      worker: 'up',
    });
    expect(body.active_workflows).toBeNull();
    expect(body.memory.process_bytes).toBeGreaterThan(0);
    expect(body.disk?.total_bytes).toBeGreaterThan(0);
    expect(body.cpu.cores).toBeGreaterThan(0);
  });

  it('shows addresses and error texts to operators only', async () => {
    const faults: { [component: string]: Fault } = { temporal: 'refused' };
    for (const role of [undefined, 'viewer', 'developer'] as const) {
      expect(await (await appWith(faults, role).request('/health')).text()).not.toContain('10.1.2.3');
    }
    expect(await (await appWith(faults, 'operator').request('/health')).text()).toContain('10.1.2.3');
  });

  it('says at /mcp/health no more than the status', async () => {
    const response = await appWith({ temporal: 'refused' }).request('/mcp/health');
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ status: 'down' });
  });
});
