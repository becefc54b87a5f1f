/** The one entry of the workflow bundle: every workflow type by its name. */
export { deleteFile } from './delete-file.ts';
export { deliverNotification } from './deliver-notification.ts';
export { ingestFile } from './ingest-file.ts';
export { catchUpVectors, reconcile, sweepStorage } from './maintenance.ts';
export { runPipeline } from './run-pipeline.ts';
export { runTask } from './run-task.ts';
export { watchAgents } from './watch-agents.ts';
