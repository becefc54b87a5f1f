/** `GET /health` and `GET /mcp/health`: open to everyone, more to those who are known. */
import type { Hono } from 'hono';
import { mayDo } from '../schema/access.ts';
import type { Health, HealthReport } from '../services/health.ts';
import type { Gate } from './authentication.ts';
import type { ApiEnv } from './context.ts';

/** 503 when one that is needed is down. Details (versions, addresses, error texts) are for callers with `system:read`. */
export function mountHealth(app: Hono<ApiEnv>, options: { health: Health; gate: Gate; hasMcp: boolean }): void {
  const { health, gate, hasMcp } = options;
  app.get('/health', async (c) => {
    const [report, principal] = await Promise.all([health.report(), gate.glance(c)]);
    const known = principal !== null && mayDo(principal, 'system:read');
    return c.json(known ? report : withoutDetails(report), report.status === 'down' ? 503 : 200);
  });
  if (!hasMcp) return;
  app.get('/mcp/health', async (c) => {
    const { status } = await health.report();
    return c.json({ status }, status === 'down' ? 503 : 200);
  });
}

function withoutDetails(report: HealthReport): HealthReport {
  const components = Object.fromEntries(
    Object.entries(report.components).map(([name, { status, latency_ms }]) => [name, { status, latency_ms }]),
  );
  return { ...report, components };
}
