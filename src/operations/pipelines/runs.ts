/** `pipelines.execute` and `runs.*`: start runs, look at them, steer them. */
import { z } from 'zod';
import type { Deps } from '../../deps.ts';
import type { FailureCode } from '../../schema/failures.ts';
import { PageQuery, pageOf } from '../../schema/files.ts';
import { PIPELINE_RUN_STATUSES } from '../../schema/names.ts';
import { RunStarted, RunSummary, RunView } from '../../schema/pipeline-views.ts';
import { Execution, PipelineId } from '../../schema/pipelines.ts';
import type { Principal } from '../../schema/principal.ts';
import { pauseRun, resumeRun, retryRun, stopRun } from '../../services/pipelines/control.ts';
import { executePipeline } from '../../services/pipelines/execute.ts';
import { changeableRunOf, visiblePipeline, visibleRunOf, visibleRuns } from '../../services/pipelines/lookup.ts';
import { removeRunForGood } from '../../services/pipelines/remove.ts';
import { runLinks, runSummary, runView } from '../../services/pipelines/views.ts';
import { listPipelineRuns, type PipelineRunRow } from '../../stores/pipeline-runs.ts';
import { type AnyOperation, defineOperation } from '../contract.ts';
import { PipelineRef } from './pipelines.ts';

export const RunIdRef = z.object({ run_id: PipelineId.describe('id of the run') });
const Filters = { status: z.enum(PIPELINE_RUN_STATUSES).optional(), ...PageQuery };

function started(deps: Deps, row: PipelineRunRow): z.input<typeof RunStarted> {
  const { run_id, workflow_id, status } = row;
  return { run_id, workflow_id, status, links: runLinks(deps.config, row) };
}

const execute = defineOperation({
  name: 'pipelines.execute',
  summary: 'Run a pipeline; a durable workflow does it',
  room: 'pipelines',
  permission: 'pipelines:write',
  input: Execution.extend(PipelineRef.shape),
  output: RunStarted,
  http: { method: 'post', path: '/api/v1/pipelines/{pipeline_id}/execute', status: 202, tag: 'pipelines' },
  mcp: {
    tool: 'execute_pipeline',
    title: 'Run a pipeline',
    description:
      'Starts a run of a pipeline with input_data and parameters, and returns run_id and workflow_id at once; follow it with wait_for_workflow, or read runs.get by call_tool for stages and progress. notification names a webhook or e-mail that is told when it ends.',
    readOnly: false,
    destructive: false,
    idempotent: true,
    openWorld: true,
    listed: true,
    taskFrom: 'workflow_id',
  },
  failures: [
    'not_found',
    'payload_too_large',
    'egress_denied',
    'conflict',
    'idempotency_mismatch',
    'too_deep',
    'unavailable',
  ],
  audited: true,
  async run({ deps, principal, requestId, idempotencyKey }, { pipeline_id, ...execution }) {
    await visiblePipeline(deps, principal, pipeline_id);
    const row = await executePipeline(deps, { principal, requestId, idempotencyKey }, pipeline_id, execution);
    return started(deps, row);
  },
});

const listOf = async (
  deps: Deps,
  principal: Principal,
  input: {
    limit: number;
    cursor?: string | undefined;
    status?: PipelineRunRow['status'] | undefined;
    pipeline_id?: string | undefined;
  },
) => {
  const page = await listPipelineRuns(deps.db, { ...input, ...visibleRuns(principal) });
  return { ...page, items: page.items.map(runSummary) };
};

const ofPipeline = defineOperation({
  name: 'pipelines.runs',
  summary: 'Runs of one pipeline, newest first',
  room: 'pipelines',
  permission: 'pipelines:read',
  input: PipelineRef.extend(Filters),
  output: pageOf(RunSummary),
  http: { method: 'get', path: '/api/v1/pipelines/{pipeline_id}/runs', tag: 'pipelines' },
  failures: ['not_found', 'unavailable'],
  audited: false,
  async run({ deps, principal }, input) {
    await visiblePipeline(deps, principal, input.pipeline_id);
    return listOf(deps, principal, input);
  },
});

const list = defineOperation({
  name: 'runs.list',
  summary: 'Runs of all pipelines, newest first',
  room: 'pipelines',
  permission: 'pipelines:read',
  input: z.object(Filters),
  output: pageOf(RunSummary),
  http: { method: 'get', path: '/api/v1/pipeline-runs', tag: 'pipelines' },
  failures: ['unavailable'],
  audited: false,
  run: ({ deps, principal }, input) => listOf(deps, principal, input),
});

const get = defineOperation({
  name: 'runs.get',
  summary: 'One run with its stages, attempts, times, progress, and what waits for approval',
  room: 'pipelines',
  permission: 'pipelines:read',
  input: RunIdRef,
  output: RunView,
  http: { method: 'get', path: '/api/v1/pipeline-runs/{run_id}', tag: 'pipelines' },
  failures: ['not_found', 'unavailable'],
  audited: false,
  async run({ deps, principal }, { run_id }) {
    await visibleRunOf(deps, principal, run_id);
    return runView(deps, { run_id });
  },
});

/** `pause`, `resume`, `cancel`, `retry` are one shape: find the run, do it, answer with the run. */
function control(
  verb: string,
  summary: string,
  act: (deps: Deps, run: PipelineRunRow, caller: { principal: Principal; requestId: string }) => Promise<void>,
  failures: FailureCode[] = [],
): AnyOperation {
  return defineOperation({
    name: `runs.${verb}`,
    summary,
    room: 'pipelines',
    permission: 'pipelines:write',
    input: RunIdRef,
    output: RunView,
    http: { method: 'post', path: `/api/v1/pipeline-runs/{run_id}/${verb}`, tag: 'pipelines' },
    failures: ['not_found', 'conflict', ...failures, 'unavailable'],
    audited: true,
    async run({ deps, principal, requestId }, { run_id }) {
      const run = await changeableRunOf(deps, principal, run_id);
      await act(deps, run, { principal, requestId });
      return runView(deps, { run_id });
    },
  });
}

const remove = defineOperation({
  name: 'runs.delete',
  summary: 'Delete a run that is over, with its artifacts; what it published stays',
  room: 'pipelines',
  permission: 'pipelines:write',
  input: RunIdRef,
  output: RunIdRef,
  http: { method: 'delete', path: '/api/v1/pipeline-runs/{run_id}', tag: 'pipelines' },
  failures: ['not_found', 'conflict', 'unavailable'],
  audited: true,
  async run({ deps, principal }, { run_id }) {
    await changeableRunOf(deps, principal, run_id);
    await removeRunForGood(deps, run_id);
    return { run_id };
  },
});

export const runOperations: AnyOperation[] = [
  execute,
  ofPipeline,
  list,
  get,
  remove,
  control('pause', 'Begin no new stage; what runs goes on to its end', pauseRun),
  control('resume', 'Go on with a paused run', resumeRun),
  control('cancel', 'Stop a run and what it is doing', stopRun),
  control('retry', 'Go on with a failed or cancelled run from where it stopped', retryRun, ['too_deep']),
];
