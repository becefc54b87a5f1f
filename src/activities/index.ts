/** All activities, made from the stores and clients of this process. Workflows see only their types. */
import { Context } from '@temporalio/activity';
import type { Deps } from '../deps.ts';
import type { DeleteInput, ImportFrom, Step } from '../schema/ingestion.ts';
import { createAgentWatch } from '../services/agents/watch.ts';
import { watchAgents } from './agents/watch.ts';
import { byCode } from './context.ts';
import { completeFile } from './ingestion/complete.ts';
import { fetchFile } from './ingestion/fetch.ts';
import { indexFile } from './ingestion/index-vectors.ts';
import { parseFile } from './ingestion/parse.ts';
import { createParserPool } from './ingestion/parser-thread.ts';
import { setPaused } from './ingestion/pause.ts';
import { type AbandonInput, abandonFile, removeFile, stopIngestion } from './ingestion/remove.ts';
import { validateFile } from './ingestion/validate.ts';
import { catchUpVectors } from './maintenance/catch-up-vectors.ts';
import { reconcileRuns } from './maintenance/reconcile.ts';
import { sweepStorage } from './maintenance/sweep.ts';
import { createNotificationActivities } from './notifications/index.ts';
import { createPipelineActivities, type Operate } from './pipelines/index.ts';
import { createStageRunner } from './stages/runner.ts';
import { createCalls } from './tasks/calls.ts';
import { createTaskActivities } from './tasks/index.ts';

export interface ActivityParts {
  /** Aborted when the worker is asked to stop. */
  stopping: AbortSignal;
  /** How pipelines run operations. */
  operate: Operate;
  /** The task queue on which only this process listens, for steps that another step left something here for. */
  ownQueue: string;
}

export function createActivities(deps: Deps, { stopping, operate, ownQueue }: ActivityParts) {
  const parsers = createParserPool(deps.config);
  const agentWatch = createAgentWatch(deps);
  const stages = createStageRunner(deps);
  return {
    fetchFile: byCode((input: Step & { from: ImportFrom }) =>
      fetchFile(deps, input, Context.current().cancellationSignal),
    ),
    validateFile: byCode((input: Step) => validateFile(deps, input)),
    parseFile: byCode((input: Step) => parseFile(deps, parsers, input)),
    indexFile: byCode((input: Step) => indexFile(deps, input)),
    completeFile: byCode((input: Step) => completeFile(deps, input)),
    setPaused: byCode((input: Step & { paused: boolean }) => setPaused(deps, input)),
    abandonFile: byCode((input: AbandonInput) => abandonFile(deps, input)),
    stopIngestion: byCode((input: DeleteInput & { workflow_id: string }) => stopIngestion(deps, input)),
    removeFile: byCode((input: DeleteInput & { workflow_id: string }) => removeFile(deps, input)),
    reconcileRuns: byCode(() => reconcileRuns(deps)),
    sweepStorage: byCode(() => sweepStorage(deps)),
    catchUpVectors: byCode(() => catchUpVectors(deps)),
    ...createTaskActivities(deps, { stages, calls: createCalls(ownQueue) }),
    ...createPipelineActivities(deps, { stages, operate }),
    ...createNotificationActivities(deps),
    watchAgents: byCode(() => watchAgents(deps, agentWatch, stopping)),
  };
}

export type Activities = ReturnType<typeof createActivities>;
