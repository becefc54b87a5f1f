/** The bare workflows that rows (f) are measured against. */
import { proxyActivities } from '@temporalio/workflow';
import type { Step } from '../../src/schema/ingestion.ts';
import { fileSteps, parseSteps, rowSteps, vectorSteps } from '../../src/workflows/steps.ts';

const { noop } = proxyActivities<{ noop(): Promise<void> }>({ startToCloseTimeout: '1 minute' });

/** The activities of an ingestion and nothing around them: no messages, no pause, no clean-up. */
export async function bareIngest(step: Step): Promise<void> {
  await fileSteps.validateFile(step);
  await parseSteps(step.source).parseFile(step);
  await vectorSteps.indexFile(step);
  await rowSteps.completeFile(step);
}

export async function sixNoops(): Promise<void> {
  for (let i = 0; i < 6; i++) await noop();
}
