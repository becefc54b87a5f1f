/** What a mail about a run says. */
import type { JsonObject } from '../../schema/json.ts';

const WORDS: Record<string, string> = {
  'pipeline.completed': 'completed',
  'pipeline.failed': 'failed',
  'pipeline.cancelled': 'was cancelled',
  'approval.requested': 'waits for an approval',
};

export function mailOf(event: string, body: JsonObject, publicUrl: string): { subject: string; text: string } {
  const data = (body.data ?? {}) as JsonObject;
  const runId = String(data.run_id ?? '');
  const error = data.error as { code: string; detail: string } | null | undefined;
  const subject = `Pipeline run ${runId} ${WORDS[event] ?? event}`;
  const lines = [
    `${subject}.`,
    ...(typeof data.stage === 'string' ? [`Stage: ${data.stage}`] : []),
    ...(typeof data.message === 'string' && data.message !== '' ? [data.message] : []),
    ...(typeof data.deadline === 'string' ? [`To be decided by ${data.deadline}`] : []),
    ...(error ? [`${error.code}: ${error.detail}`] : []),
    '',
    `${publicUrl}/api/v1/pipeline-runs/${runId}`,
  ];
  return { subject, text: lines.join('\n') };
}
