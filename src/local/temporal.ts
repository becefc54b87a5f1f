/** The embedded Temporal: the CLI's dev server with its database file in the data folder. */
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { SEARCH_ATTRIBUTES } from '../schema/names.ts';
import { freePort, withFreshPorts } from './ports.ts';
import type { Service, Supervisor } from './supervise.ts';
import { markDatabaseFileMade, prepareDatabaseFile } from './temporal-database.ts';

/** Path below the API's address at which it shows the Web UI. */
export const UI_PATH = '/temporal';
/** Path below the API's address at which payloads are decoded for the Web UI. */
export const CODEC_PATH = '/codec';

/** A host name that no request can name truly: the engine's own HTTP API has no authentication, so it stays shut. */
const CLOSED_HOST = '["closed.invalid"]';

/**
 * Stock settings make each dispatch wait about 50 ms, because one shard is polled 20 times a second; with these, six
 * activities in sequence take 45 to 100 ms instead of 650. Fairness orders a backlog by priority within one queue and
 * needs a single partition to be exact.
 */
const DYNAMIC_CONFIG = [
  'history.transferProcessorMaxPollRPS=2000',
  'history.timerProcessorMaxPollRPS=2000',
  'system.enableActivityEagerExecution=true',
  `frontend.httpAllowedHosts=${CLOSED_HOST}`,
  'matching.enableFairness=true',
  'matching.numTaskqueueReadPartitions=1',
  'matching.numTaskqueueWritePartitions=1',
];

export interface EmbeddedTemporal {
  /** host:port of the frontend. */
  address: string;
  /** Address of the Web UI itself, without sign-in: only our API should use it. */
  uiUrl: string;
  metricsUrl: string;
  service: Service;
}

export interface TemporalOptions {
  /** Path of the `temporal` program. */
  binary: string;
  /** Absent: everything stays in memory. */
  databaseFile?: string;
  namespace: string;
  retentionDays: number;
  port: number;
  uiPort: number;
  synchronous: 'full' | 'normal';
  /** Where callers reach our API, which shows the Web UI under a path and decodes payloads for it. */
  publicUrl: string;
  supervisor: Supervisor;
  /** Leaves the measured dispatch settings out, to compare with. */
  stockDispatch?: boolean;
}

/** Starts the dev server on loopback with our search attributes, dispatch settings and retention. */
export function startTemporal(options: TemporalOptions): Promise<EmbeddedTemporal> {
  return withFreshPorts(() => startOnPorts(options));
}

async function startOnPorts(options: TemporalOptions): Promise<EmbeddedTemporal> {
  const port = options.port === 0 ? await freePort() : options.port;
  const uiPort = options.uiPort === 0 ? await freePort() : options.uiPort;
  const metricsPort = await freePort();
  const httpPort = await freePort();
  const address = `127.0.0.1:${port}`;
  const dynamic = options.stockDispatch === true ? [`frontend.httpAllowedHosts=${CLOSED_HOST}`] : DYNAMIC_CONFIG;
  const service = await options.supervisor.start({
    name: 'temporal',
    command: options.binary,
    args: [
      ...['server', 'start-dev', '--ip', '127.0.0.1', '--log-level', 'warn', '--color', 'never'],
      ...['--port', String(port), '--ui-port', String(uiPort)],
      ...['--metrics-port', String(metricsPort), '--http-port', String(httpPort)],
      ...['--namespace', options.namespace],
      ...['--ui-public-path', UI_PATH, '--ui-codec-endpoint', `${options.publicUrl}${CODEC_PATH}`],
      ...(options.databaseFile === undefined
        ? []
        : ['--db-filename', options.databaseFile, '--sqlite-pragma', `synchronous=${options.synchronous}`]),
      ...Object.values(SEARCH_ATTRIBUTES).flatMap((name) => ['--search-attribute', `${name}=Keyword`]),
      ...dynamic.flatMap((value) => ['--dynamic-config-value', value]),
      '--disable-config-file',
      '--disable-config-env',
    ],
    stopSignal: 'SIGTERM',
    // Its database file survives kill -9, and nobody would be left to see a slow end through.
    deathSignal: 'SIGKILL',
    stopTimeoutMs: 15_000,
    readyTimeoutMs: 90_000,
    isReady: () => isServing(address, options.namespace),
    prepare: () => {
      if (options.databaseFile !== undefined) prepareDatabaseFile(options.databaseFile);
    },
  });
  if (options.databaseFile !== undefined) markDatabaseFileMade(options.databaseFile);
  await setRetention(address, options.namespace, options.retentionDays);
  return {
    address,
    uiUrl: `http://127.0.0.1:${uiPort}`,
    metricsUrl: `http://127.0.0.1:${metricsPort}/metrics`,
    service,
  };
}

/** The file of the embedded engine below the data folder. */
export function temporalFile(dataDir: string): string {
  return join(dataDir, 'temporal.db');
}

/** Whether the engine answers for this namespace. */
export async function isServing(address: string, namespace: string): Promise<boolean> {
  const connection = await Connection.connect({ address, connectTimeout: 2_000 });
  try {
    await connection.workflowService.describeNamespace({ namespace });
    return true;
  } finally {
    await connection.close();
  }
}

/** Days that closed workflows stay; the engine's own default is one. */
async function setRetention(address: string, namespace: string, days: number): Promise<void> {
  const connection = await Connection.connect({ address, connectTimeout: 5_000 });
  try {
    await connection.workflowService.updateNamespace({
      namespace,
      config: { workflowExecutionRetentionTtl: { seconds: (days * 86_400) as never } },
    });
  } finally {
    await connection.close();
  }
}
