/** Writes that a file is paused or goes on. */
import type { Deps } from '../../deps.ts';
import type { Step } from '../../schema/ingestion.ts';
import { lockFile, patchFile } from '../../stores/files.ts';

export async function setPaused(deps: Deps, input: Step & { paused: boolean }): Promise<void> {
  await deps.db.transaction().execute(async (trx) => {
    await lockFile(trx, input);
    await patchFile(trx, input, { status: input.paused ? 'paused' : 'processing' });
  });
}
