/** A real Temporal server that keeps its state in Postgres: what runs beyond one machine. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { TEMPORAL_SERVER, TEMPORAL_SQL_TOOL } from '../../../src/local/components/catalogue.ts';
import { runToEnd } from '../../../src/local/components/process.ts';
import { freePort } from '../../../src/local/ports.ts';
import { isServing } from '../../../src/local/temporal.ts';
import { SEARCH_ATTRIBUTES } from '../../../src/schema/names.ts';
import { requirePath } from './available.ts';
import { type RunningServer, startServer } from './process.ts';
import { type ServerTls, serverConfig } from './temporal-server-config.ts';

export interface TemporalServer extends RunningServer {
  /** host:port of the frontend. */
  address: string;
  namespace: string;
}

const KEYWORD = 2;

/**
 * Lays out its two databases in the Postgres of `postgresUrl` (a user who may create them) and starts all services.
 * A bare one, and one with TLS, has no namespace yet.
 */
export async function startTemporalServer(
  postgresUrl: string,
  { bare = false, tls }: { bare?: boolean; tls?: ServerTls } = {},
): Promise<TemporalServer> {
  const [command, tool] = await Promise.all([requirePath(TEMPORAL_SERVER), requirePath(TEMPORAL_SQL_TOOL)]);
  const suffix = Math.random().toString(36).slice(2, 8);
  const names = { main: `temporal_${suffix}`, visibility: `temporal_visibility_${suffix}` };
  await layOut(tool, postgresUrl, names.main, 'temporal');
  await layOut(tool, postgresUrl, names.visibility, 'visibility');
  const ports = await Promise.all(Array.from({ length: 10 }, () => freePort()));
  const address = `127.0.0.1:${ports[0]}`;
  const namespace = 'default';
  const server = await startServer('temporal-server', (folder) => {
    const config = join(folder, 'config');
    mkdirSync(config);
    const dynamic = join(config, 'dynamic.yaml');
    writeFileSync(dynamic, '{}\n');
    writeFileSync(join(config, 'test.yaml'), JSON.stringify(serverConfig({ postgresUrl, names, ports, dynamic, tls })));
    return {
      name: 'temporal-server',
      command,
      args: ['--root', folder, '--config', 'config', '--env', 'test', '--allow-no-auth', 'start'],
      cwd: folder,
      stopTimeoutMs: 20_000,
      readyTimeoutMs: 90_000,
      isReady: () => isUp(address, tls),
    };
  });
  try {
    if (!bare && !tls) await prepareNamespace(address, namespace);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return { ...server, address, namespace };
}

async function layOut(tool: string, postgresUrl: string, database: string, schema: string): Promise<void> {
  const url = new URL(postgresUrl);
  const common = ['--plugin', 'postgres12', '--ep', url.hostname, '-p', url.port, '-u', url.username, '--db', database];
  for (const step of [
    ['create-database', '--defaultdb', 'postgres'],
    ['setup-schema', '--version', '0.0'],
    ['update-schema', '--schema-name', `postgresql/v12/${schema}`],
  ]) {
    const outcome = await runToEnd(tool, [...common, ...step], {
      env: { ...process.env, SQL_PASSWORD: decodeURIComponent(url.password) },
      timeoutMs: 60_000,
    });
    if (outcome.code !== 0) throw new Error(`temporal-sql-tool ${step.join(' ')} failed: ${outcome.output}`);
  }
}

async function isUp(address: string, tls: ServerTls | undefined): Promise<boolean> {
  const secure = tls && {
    serverRootCACertificate: readFileSync(tls.ca),
    clientCertPair: { crt: readFileSync(tls.cert), key: readFileSync(tls.key) },
  };
  const connection = await Connection.connect({ address, connectTimeout: 2_000, ...(secure ? { tls: secure } : {}) });
  await connection.close();
  return true;
}

async function prepareNamespace(address: string, namespace: string): Promise<void> {
  const connection = await Connection.connect({ address, connectTimeout: 10_000 });
  try {
    await connection.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: { seconds: (7 * 86_400) as never },
    });
    // A new namespace is known to every service within the refresh interval.
    await until(() => isServing(address, namespace));
    await until(async () => {
      await connection.operatorService.addSearchAttributes({
        namespace,
        searchAttributes: Object.fromEntries(Object.values(SEARCH_ATTRIBUTES).map((name) => [name, KEYWORD])),
      });
      return true;
    });
  } finally {
    await connection.close();
  }
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 30_000;
  for (;;) {
    try {
      if (await condition()) return;
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    if (Date.now() > end) throw new Error('the Temporal server did not take its namespace in 30 s');
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}
