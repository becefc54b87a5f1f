/** Deletes one file for good: stops its ingestion, then takes out rows, vectors and objects. */
import { workflowInfo } from '@temporalio/workflow';
import type { DeleteInput } from '../schema/ingestion.ts';
import { vectorSteps } from './steps.ts';

export async function deleteFile(input: DeleteInput): Promise<{ file_id: string }> {
  const step = { ...input, workflow_id: workflowInfo().workflowId };
  await vectorSteps.stopIngestion(step);
  await vectorSteps.removeFile(step);
  return { file_id: input.file_id };
}
