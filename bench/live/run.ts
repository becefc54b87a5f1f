/** Row (p-e): from the commit of an event until it has arrived at each of a thousand sockets of another process. */
import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../src/local/ports.ts';
import { type Db, openDatabase } from '../../src/stores/database.ts';
import { appendEvents } from '../../src/stores/events.ts';
import { removeDataDir, startSystem } from '../../test/support/system.ts';
import { embeddedDatabaseUrl } from '../../test/support/truth.ts';
import { percentile, type Row } from '../row.ts';
import { type FromSockets, moment, type ToSockets } from './messages.ts';

const SOCKETS = 1_000;
const PER_SECOND = 20;
const SECONDS = 15;
/** Not measured: the first ones are the compiler's, and those of processes that are still starting. */
const WARM_UP = 100;
const MOST_MS = 200;

export async function benchLive(): Promise<Row[]> {
  const port = await freePort();
  const system = await startSystem({ POSTGRES_PORT: String(port), WS_MAX_PER_CALLER: String(SOCKETS) });
  const database = openDatabase(embeddedDatabaseUrl(system.dataDir, port), { max: 2 });
  const child = fork(fileURLToPath(new URL('./sockets.ts', import.meta.url)), { serialization: 'advanced' });
  try {
    const url = `${system.url.replace('http', 'ws')}/ws`;
    await ask(child, { kind: 'start', url, token: system.key, sockets: SOCKETS }, 'open');
    const moments = await writeSteadily(database.db);
    const done = await ask(child, { kind: 'commits', moments }, 'done');
    if (done.missing > 0 || done.repeated > 0) {
      throw new Error(`${done.missing} events did not arrive, ${done.repeated} arrived again`);
    }
    const measured = done.latencies.filter((latency) => !Number.isNaN(latency));
    const [p50, p99, most] = [0.5, 0.99, 1].map((share) => percentile(measured, share)) as [number, number, number];
    return [
      {
        id: 'p-e',
        what: `an event from its commit to each of ${SOCKETS} sockets, ${PER_SECOND} events a second`,
        value: `p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms, at most ${most.toFixed(0)} ms`,
        target: `p99 under ${MOST_MS} ms`,
        met: p99 < MOST_MS,
      },
    ];
  } finally {
    child.disconnect();
    await database.close();
    await system.stop();
    removeDataDir(system);
  }
}

/** When each event was about to be committed, by its number; NaN for those that are not measured. */
async function writeSteadily(db: Db): Promise<number[]> {
  const moments: number[] = [];
  const begin = moment();
  for (let n = 0; n < WARM_UP + PER_SECOND * SECONDS; n++) {
    await sleep(Math.max(0, begin + (n * 1_000) / PER_SECOND - moment()));
    moments.push(await write(db, n));
  }
  return moments.map((at, n) => (n < WARM_UP ? Number.NaN : at));
}

function write(db: Db, n: number): Promise<number> {
  return db.transaction().execute(async (trx) => {
    const data = { file_id: randomUUID(), progress_percent: n % 100, records_processed: n, bench_mark: n };
    const key = `bench/live/${randomUUID()}`;
    await appendEvents(trx, [
      { name: 'processing.progress', owner: 'bench', resource: null, workflow_id: null, data, key },
    ]);
    return moment();
  });
}

async function ask<K extends FromSockets['kind']>(
  child: ChildProcess,
  message: ToSockets,
  kind: K,
): Promise<Extract<FromSockets, { kind: K }>> {
  child.send(message);
  const over = new AbortController();
  const ended = once(child, 'exit', { signal: over.signal }).then(([code]) => {
    throw new Error(`the process with the sockets ended with ${code}`);
  });
  try {
    const [answer] = (await Promise.race([once(child, 'message'), ended])) as [FromSockets];
    if (answer.kind !== kind) throw new Error(`answered ${answer.kind} instead of ${kind}`);
    return answer as Extract<FromSockets, { kind: K }>;
  } finally {
    over.abort();
    await ended.catch(() => {});
  }
}

if (import.meta.main) console.table(await benchLive());
