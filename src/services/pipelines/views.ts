/** Pipelines, runs, stages, artifacts and approvals as callers see them. */
import type { z } from 'zod';
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import type { Json } from '../../schema/json.ts';
import type {
  ApprovalView,
  ArtifactView,
  EarlierAttempt,
  PipelineLinks,
  PipelineSummary,
  RunLinks,
  RunStageView,
  RunSummary,
  RunView,
  TryView,
} from '../../schema/pipeline-views.ts';
import type { Notification } from '../../schema/pipelines.ts';
import type { ArtifactRef } from '../../schema/stages/contract.ts';
import { type ApprovalRow, openApprovalsOf } from '../../stores/approvals.ts';
import { findPipelineRun, type PipelineRunRow } from '../../stores/pipeline-runs.ts';
import { itemStates, type StageRow, stagesOf } from '../../stores/pipeline-stages.ts';
import { type TryRow, triesOf } from '../../stores/pipeline-tries.ts';
import type { PipelineRow } from '../../stores/pipelines.ts';
import { findRuns, type RunRow } from '../../stores/runs.ts';
import { workflowIdOf } from './workflow-id.ts';

const MOST_FAILED_ITEMS = 100;
const MOST_TRIES = 20;
const MOST_TRIES_OF_ITEM = 5;
const MOST_EARLIER = 20;
const iso = (at: Date | null) => at?.toISOString() ?? null;

export function pipelineSummary(row: PipelineRow): z.input<typeof PipelineSummary> {
  const { pipeline_id, name, description, version, owner } = row;
  return {
    pipeline_id,
    name,
    description,
    version,
    owner,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}

export function pipelineLinks(id: string): z.input<typeof PipelineLinks> {
  const self = `/api/v1/pipelines/${id}`;
  return { self, execute: `${self}/execute`, runs: `${self}/runs` };
}

export function runLinks(config: Deps['config'], row: PipelineRunRow): z.input<typeof RunLinks> {
  const self = `/api/v1/pipeline-runs/${row.run_id}`;
  return {
    self,
    pipeline: `/api/v1/pipelines/${row.pipeline_id}`,
    artifacts: `${self}/artifacts`,
    events: `/api/v1/events?run_id=${row.run_id}`,
    ...workflowLinks(config, row.workflow_id),
  };
}

function workflowLinks(config: Deps['config'], workflowId: string): { workflow: string; ui: string } {
  const id = encodeURIComponent(workflowId);
  return {
    workflow: `/api/v1/workflows/${id}`,
    ui: `${config.publicUrl}/temporal/namespaces/${config.TEMPORAL_NAMESPACE}/workflows/${id}`,
  };
}

export function runSummary(row: PipelineRunRow): z.input<typeof RunSummary> {
  const { run_id, pipeline_id, version, workflow_id, owner, status, attempt, progress, current_stage } = row;
  return {
    run_id,
    pipeline_id,
    version,
    workflow_id,
    owner,
    status,
    attempt,
    progress,
    current_stage,
    completed_stages: row.completed_stages,
    error: row.error,
    created_at: row.created_at.toISOString(),
    started_at: iso(row.started_at),
    completed_at: iso(row.completed_at),
  };
}

/** All of it as it stood at one moment. */
export async function runView(deps: Deps, { run_id: runId }: { run_id: string }): Promise<RunView> {
  const read = await deps.db
    .transaction()
    .setIsolationLevel('repeatable read')
    .execute(async (trx) => {
      const row = await findPipelineRun(trx, runId);
      const stages = await stagesOf(trx, runId);
      const items = Map.groupBy(await itemStates(trx, runId), ({ stage }) => stage);
      const failed = [...items.values()].flatMap(failedOf);
      const tries = [
        ...(await triesOf(trx, runId, stages, MOST_TRIES)),
        ...(await triesOf(trx, runId, failed, MOST_TRIES_OF_ITEM)),
      ];
      const workflows = await findRuns(trx, row ? earlierOf(row).map(({ workflow_id }) => workflow_id) : []);
      return { row, stages, items, tries, workflows, approvals: await openApprovalsOf(trx, runId) };
    });
  const { row, stages, items, tries, workflows, approvals } = read;
  if (!row) throw new Failure('not_found', `No pipeline run ${runId}`);
  const triesAt = Map.groupBy(tries, ({ stage, item }) => `${stage}/${item}`);
  const attempts = (stage: number, item: number) => (triesAt.get(`${stage}/${item}`) ?? []).map(tryView);
  return {
    ...runSummary(row),
    input_data: row.input_data,
    parameters: row.parameters,
    notification: row.notification as Notification | null,
    stages: stages.map((stage) => stageView(stage, items.get(stage.stage) ?? [], attempts)),
    earlier_attempts: earlierOf(row).map((earlier) => earlierView(deps.config, earlier, workflows)),
    approvals: approvals.map(approvalView),
    links: runLinks(deps.config, row),
  };
}

/** Workflows of a run's earlier attempts: their ids follow from its own. */
function earlierOf({ run_id, attempt }: PipelineRunRow): { attempt: number; workflow_id: string }[] {
  const all = Array.from({ length: attempt - 1 }, (_, n) => ({
    attempt: n + 1,
    workflow_id: workflowIdOf(run_id, n + 1),
  }));
  return all.slice(-MOST_EARLIER);
}

function earlierView(
  config: Deps['config'],
  { attempt, workflow_id }: { attempt: number; workflow_id: string },
  rows: readonly RunRow[],
): z.input<typeof EarlierAttempt> {
  const row = rows.find((one) => one.workflow_id === workflow_id);
  return {
    attempt,
    workflow_id,
    status: row?.status ?? null,
    error: row?.error ?? null,
    started_at: iso(row?.started_at ?? null),
    completed_at: iso(row?.closed_at ?? null),
    links: workflowLinks(config, workflow_id),
  };
}

function tryView(row: TryRow): z.input<typeof TryView> {
  const { run_attempt, status, error, put_off } = row;
  return {
    attempt: row.try,
    run_attempt,
    status,
    started_at: row.started_at.toISOString(),
    completed_at: iso(row.ended_at),
    error,
    put_off,
  };
}

type ItemState = Pick<StageRow, 'stage' | 'item' | 'status' | 'attempt' | 'error'>;
type Attempts = (stage: number, item: number) => z.input<typeof TryView>[];

function stageView(row: StageRow, items: ItemState[], attempts: Attempts): z.input<typeof RunStageView> {
  const { stage, name, type, status, attempt, progress, reason, error, task_id, output } = row;
  const { dataset, artifacts, summary } = output ?? { dataset: null, artifacts: [], summary: null };
  return {
    stage,
    name,
    type,
    status,
    attempt,
    progress,
    reason,
    error,
    task_id,
    started_at: iso(row.started_at),
    ended_at: iso(row.ended_at),
    seconds: secondsOf(row),
    attempts: attempts(stage, row.item),
    dataset: dataset && {
      rows: dataset.rows,
      bytes: dataset.bytes,
      sha256: dataset.sha256,
      columns: dataset.columns.length,
    },
    artifacts: artifacts.map((artifact) => artifactName(row, artifact)),
    summary: summary as Record<string, Json> | null,
    items: items.length === 0 ? null : itemsView(items, attempts),
  };
}

function secondsOf({ started_at, ended_at }: StageRow): number | null {
  if (started_at === null) return null;
  return ((ended_at ?? new Date()).getTime() - started_at.getTime()) / 1000;
}

function failedOf(items: ItemState[]): ItemState[] {
  return items.filter(({ status }) => status === 'failed').slice(0, MOST_FAILED_ITEMS);
}

function itemsView(items: ItemState[], attempts: Attempts): z.input<typeof RunStageView>['items'] {
  const by_status: Record<string, number> = {};
  for (const { status } of items) by_status[status] = (by_status[status] ?? 0) + 1;
  return {
    total: items.length,
    by_status,
    failed: failedOf(items).map(({ stage, item, attempt, error }) => ({
      item,
      attempt,
      error,
      attempts: attempts(stage, item),
    })),
  };
}

export function approvalView(row: ApprovalRow): z.input<typeof ApprovalView> {
  return {
    approval_id: row.approval_id,
    run_id: row.run_id,
    stage: row.stage,
    message: row.message,
    status: row.status,
    requested_at: row.requested_at.toISOString(),
    deadline: row.deadline.toISOString(),
    decided_by: row.decided_by,
    decided_at: iso(row.decided_at),
    comment: row.comment,
  };
}

/** Unique within a run: `<stage>/<file>`, and `<stage>/<item>/<file>` for items. */
export function artifactName(row: Pick<StageRow, 'name'>, artifact: Pick<ArtifactRef, 'name'>): string {
  return `${row.name}/${artifact.name}`;
}

/** Everything that can be downloaded of a run: what stages left, and the table of each. */
export function artifactsOf(stages: readonly StageRow[]): { name: string; stage: string; ref: ArtifactRef }[] {
  return stages.flatMap((row) => {
    const { output, name: stage } = row;
    if (output === null) return [];
    const { dataset } = output;
    const table: ArtifactRef[] = dataset
      ? [
          {
            name: 'dataset.parquet',
            key: dataset.key,
            media_type: 'application/vnd.apache.parquet',
            bytes: dataset.bytes,
            sha256: dataset.sha256,
            rows: dataset.rows,
          },
        ]
      : [];
    const named = output.artifacts.some(({ name }) => name === 'dataset.parquet') ? [] : table;
    return [...output.artifacts, ...named].map((ref) => ({ name: artifactName(row, ref), stage, ref }));
  });
}

export function artifactView(
  runId: string,
  { name, stage, ref }: { name: string; stage: string; ref: ArtifactRef },
): z.input<typeof ArtifactView> {
  const { media_type, bytes, rows, sha256 } = ref;
  const download = `/api/v1/pipeline-runs/${runId}/artifacts/${encodeURIComponent(name)}`;
  return { name, stage, media_type, bytes, rows, sha256, links: { download } };
}
