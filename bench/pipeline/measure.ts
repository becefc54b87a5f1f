/** What both measurements of pipelines use. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** Milliseconds that `work` takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** Hex, of a file's bytes. */
export function hash(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}
