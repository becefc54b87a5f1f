/** A worker's metrics, its own and Temporal's: served by the worker, and found and read by the API on the same machine. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Registry } from 'prom-client';
import type { Config } from '../schema/config.ts';
import { mergeMetrics } from './merge-metrics.ts';
import { mayReadMetrics } from './metrics-access.ts';

type Where = Pick<Config, 'dataDir' | 'WORKER_METRICS_HOST' | 'WORKER_METRICS_PORT' | 'METRICS_TOKEN'>;

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
 * Serves `registry` and, when given, what Temporal's runtime exports at `runtimeAddress`; beyond loopback to whoever has
 * METRICS_TOKEN. The port is left in DATA_DIR/metrics under the machine's name and the process id, so that the API beside
 * finds however many workers there are.
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
    if (!mayReadMetrics(askedBy(request), config.METRICS_TOKEN)) {
      response.writeHead(401, { 'www-authenticate': 'Bearer realm="ostinato"' }).end();
      return;
    }
    const runtime = runtimeAddress ? await fetchText(`http://${runtimeAddress}/metrics`) : null;
    response.writeHead(200, { 'content-type': registry.contentType });
    response.end(mergeMetrics([await registry.metrics(), ...(runtime === null ? [] : [runtime])]));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(config.WORKER_METRICS_PORT, config.WORKER_METRICS_HOST, resolve);
  });
  server.unref();
  const { port } = server.address() as AddressInfo;
  const folder = join(config.dataDir, FOLDER);
  const note = join(folder, noteOf(hostname(), process.pid));
  await mkdir(folder, { recursive: true });
  await writeFile(note, JSON.stringify({ host: reachedBy(config.WORKER_METRICS_HOST), port }), { mode: 0o600 });
  return {
    port,
    close: async () => {
      await rm(note, { force: true });
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/**
 * One page for each worker on this machine that answers within a second. Notes of its dead ones are removed; those of
 * other machines and containers say nothing here, neither their process ids nor their addresses.
 */
export async function readWorkerMetrics(config: Pick<Where, 'dataDir' | 'METRICS_TOKEN'>): Promise<string[]> {
  const folder = join(config.dataDir, FOLDER);
  const notes = await readdir(folder).catch(() => []);
  const here = noteOf(hostname(), '');
  const pages = await Promise.all(
    notes
      .filter((name) => name.startsWith(here))
      .map(async (name) => {
        const note = join(folder, name);
        if (!isAlive(Number(name.slice(here.length)))) {
          await rm(note, { force: true });
          return null;
        }
        const { host, port } = readNote(await readFile(note, 'utf8').catch(() => ''));
        const page = port > 0 ? await fetchText(`http://${host}:${port}/metrics`, config.METRICS_TOKEN) : null;
        // The port may be somebody else's by now.
        return page?.includes('process="worker"') ? page : null;
      }),
  );
  return pages.filter((page) => page !== null);
}

/** Names of machines hold no `@`; process ids mean something on one machine alone. */
function noteOf(machine: string, pid: number | ''): string {
  return `${machine.replaceAll(/[^\w.-]/g, '_')}@${pid}`;
}

function readNote(text: string): { host: string; port: number } {
  try {
    const { host, port } = JSON.parse(text);
    return { host: String(host), port: Number(port) };
  } catch {
    return { host: '', port: 0 };
  }
}

/** What listens everywhere is reached on loopback. */
function reachedBy(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}

function askedBy({ socket, headers }: IncomingMessage) {
  return {
    peer: socket.remoteAddress?.replace(/^::ffff:/, '') ?? null,
    host: headers.host ?? '',
    header: (name: string) => headers[name]?.toString(),
  };
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

async function fetchText(url: string, token?: string): Promise<string | null> {
  try {
    const response = await fetch(url, {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(FETCH_MS),
    });
    return response.ok ? await response.text() : null;
  } catch {
    return null;
  }
}
