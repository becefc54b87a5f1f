/** The id of the workflow that makes an attempt of a run. */

/** `run-<id>`, then `run-<id>~2`. */
export function workflowIdOf(runId: string, attempt: number): string {
  return attempt === 1 ? `run-${runId}` : `run-${runId}~${attempt}`;
}
