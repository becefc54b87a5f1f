/** The data engine as a program of its own: does one job after another for the worker that forked it, and ends with it. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { EngineFault, type JobDatabase, openJob } from './database.ts';
import type { Answer, EngineJob, FromEngine, Task, ToEngine } from './messages.ts';

const PROGRESS_MS = 500;
const WATCH_MS = 200;
/** What the process may take beside the engine's own limit: Node, its buffers, the engine's unaccounted memory. */
const MEMORY_MARGIN_MB = 512;
const MIB = 1024 * 1024;
const OUT_OF_MEMORY = 86;
const OUT_OF_SPACE = 87;

let database: JobDatabase | null = null;
let limits: EngineJob | null = null;
let busy = false;

function send(message: FromEngine): void {
  process.send?.(message);
}

async function perform(task: Task): Promise<Answer> {
  if (task.op === 'open') {
    database?.close();
    database = null;
    limits = task.job;
    database = await openJob(task.job);
    return { rowWise: database.rowWise };
  }
  if (task.op === 'close') {
    database?.close();
    database = null;
    return { done: true };
  }
  if (!database) throw new Error('no job is open');
  if (task.op === 'query') return { rows: await database.query(task.sql) };
  if (task.op === 'copy') return { copied: await database.copy(task.sql, task.file) };
  await database.run(task.sql);
  return { done: true };
}

process.on('message', async ({ id, task }: ToEngine) => {
  busy = true;
  try {
    send({ id, answer: await perform(task) });
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    send({
      id,
      error: error instanceof EngineFault ? error.error : { kind: 'failed', path: '', message: words },
    });
  } finally {
    busy = false;
  }
});

setInterval(() => {
  if (busy && database) send({ share: database.share() });
}, PROGRESS_MS).unref();

// The engine's limit does not count all it takes; this process must go before the machine is short.
setInterval(() => {
  if (!limits || !database) return;
  if (process.memoryUsage.rss() > (limits.memoryMb + MEMORY_MARGIN_MB) * MIB) process.exit(OUT_OF_MEMORY);
  if (bytesIn(join(limits.folder, 'out')) > limits.tempMb * MIB) process.exit(OUT_OF_SPACE);
}, WATCH_MS).unref();

// The worker is gone, by whatever way: nobody waits for the rest.
process.on('disconnect', () => process.exit(0));

/** Results are no temporary files to the engine, so nothing else bounds them. */
function bytesIn(folder: string): number {
  let bytes = 0;
  for (const file of readdirSync(folder)) bytes += statSync(join(folder, file), { throwIfNoEntry: false })?.size ?? 0;
  return bytes;
}
