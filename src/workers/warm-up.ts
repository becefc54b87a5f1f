/** Gets the embedder ready in the background, so that the first file need not wait for it. */
import type { Deps } from '../deps.ts';
import { CATCH_UP_SCHEDULE } from './schedules.ts';

type Needs = Pick<Deps, 'embedder' | 'semanticOff' | 'log' | 'temporal'>;

/** One line in the log when the embedder is ready or why it is not; then what came without vectors is caught up. */
export async function warmUp({ embedder, semanticOff, log, temporal }: Needs): Promise<void> {
  if (embedder === null) {
    log.info({ reason: semanticOff }, 'no embeddings: records are found by their words');
    return;
  }
  const started = performance.now();
  try {
    await embedder.embed([]);
    log.info({ embedder: embedder.name, took_ms: Math.round(performance.now() - started) }, 'the embedder is ready');
    await temporal.schedule.getHandle(CATCH_UP_SCHEDULE).trigger();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log.warn({ reason }, 'the embedder is not ready: records are found by their words, and vectors follow later');
  }
}
