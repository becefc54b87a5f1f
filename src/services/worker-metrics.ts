/** A worker's metrics, its own and Temporal's: served on loopback by the worker, found and read by the API beside it. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import type { Registry } from 'prom-client';
import type { Config } from '../schema/config.ts';
import { mergeMetrics } from './merge-metrics.ts';

type Where = Pick<Config, 'dataDir' | 'WORKER_METRICS_PORT'>;

const FETCH_MS = 1_000;
const FOLDER = 'metrics';

/** A free loopback address for the Prometheus exporter that `Runtime.install` opens, which cannot choose one itself. */
export async function freeMetricsAddress(): Promise<string> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return `127.0.0.1:${port}`;
}

/**
 * Serves `registry` and, when given, what Temporal's runtime exports at `runtimeAddress`. The port is left in
 * DATA_DIR/metrics under the process id, so that the API finds however many workers there are.
 */
export async function serveWorkerMetrics(options: {
  config: Where;
  registry: Registry;
  runtimeAddress?: string;
}): Promise<{ port: number; close(): Promise<void> }> {
  const { config, registry, runtimeAddress } = options;
  registry.setDefaultLabels({ process: 'worker' });
  const server = createServer(async (request, response) => {
    if (request.method !== 'GET') {
      response.writeHead(405).end();
      return;
    }
    const runtime = runtimeAddress ? await fetchText(`http://${runtimeAddress}/metrics`) : null;
    response.writeHead(200, { 'content-type': registry.contentType });
    response.end(mergeMetrics([await registry.metrics(), ...(runtime === null ? [] : [runtime])]));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(config.WORKER_METRICS_PORT, '127.0.0.1', resolve);
  });
  server.unref();
  const { port } = server.address() as AddressInfo;
  const folder = join(config.dataDir, FOLDER);
  const note = join(folder, String(process.pid));
  await mkdir(folder, { recursive: true });
  await writeFile(note, String(port), { mode: 0o600 });
  return {
    port,
    close: async () => {
      await rm(note, { force: true });
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** One page for each worker beside this process that answers within a second. Notes of dead ones are removed. */
export async function readWorkerMetrics(config: Where): Promise<string[]> {
  const folder = join(config.dataDir, FOLDER);
  const pids = await readdir(folder).catch(() => []);
  const pages = await Promise.all(
    pids.map(async (pid) => {
      const note = join(folder, pid);
      if (!isAlive(Number(pid))) {
        await rm(note, { force: true });
        return null;
      }
      const port = Number(await readFile(note, 'utf8').catch(() => ''));
      const page = port > 0 ? await fetchText(`http://127.0.0.1:${port}/metrics`) : null;
      // The port may be somebody else's by now.
      return page?.includes('process="worker"') ? page : null;
    }),
  );
  return pages.filter((page) => page !== null);
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function fetchText(url: string): Promise<string | null> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(FETCH_MS) });
    return response.ok ? await response.text() : null;
  } catch {
    return null;
  }
}
