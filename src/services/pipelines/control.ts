/** What a caller does to a run: pause, resume, cancel, retry; and deciding what it waits for. */
import { WorkflowNotFoundError } from '@temporalio/client';
import { sql } from 'kysely';
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import { MESSAGES } from '../../schema/names.ts';
import type { Decision, DecisionAnswer } from '../../schema/pipeline-flow.ts';
import type { Principal } from '../../schema/principal.ts';
import { isUnreachable } from '../../schema/unknown-error.ts';
import type { ApprovalRow } from '../../stores/approvals.ts';
import { LIVE_RUNS, type PipelineRunRow } from '../../stores/pipeline-runs.ts';
import { NOT_NEEDED, resetStages, stagesOf } from '../../stores/pipeline-stages.ts';
import { findDefinition } from '../../stores/pipelines.ts';
import { insertRun } from '../../stores/runs.ts';
import { cancelRun, startAdmitted, updateRun } from '../engine.ts';
import { compensatorOf } from './check.ts';
import { workflowOf } from './execute.ts';
import { depthOf } from './principal.ts';

const ANSWER_MS = 20_000;

export async function pauseRun(deps: Deps, run: PipelineRunRow): Promise<void> {
  assertLive(run, 'paused');
  if (run.status !== 'paused') await updateRun(deps, run.workflow_id, MESSAGES.pause);
}

export async function resumeRun(deps: Deps, run: PipelineRunRow): Promise<void> {
  assertLive(run, 'resumed');
  if (run.status === 'paused') await updateRun(deps, run.workflow_id, MESSAGES.resume);
}

/** Cancelling what is cancelled already is no error. */
export async function stopRun(deps: Deps, run: PipelineRunRow): Promise<void> {
  if (run.status === 'cancelled') return;
  assertLive(run, 'cancelled');
  await cancelRun(deps, run.workflow_id);
}

function assertLive(run: PipelineRunRow, what: string): void {
  if (LIVE_RUNS.includes(run.status)) return;
  throw new Failure('conflict', `Run ${run.run_id} is ${run.status} and cannot be ${what}`);
}

/**
 * A new attempt under a new workflow: what is completed stays, what failed the run, was stopped or never began is done
 * again. A failure that the pipeline forgave stays too, with what was skipped on its account. Throws Failure('conflict')
 * for a run that did not end so, Failure('too_deep') for runs that try one another again without end.
 */
export async function retryRun(
  deps: Deps,
  run: PipelineRunRow,
  caller: { principal: Principal; requestId: string },
): Promise<void> {
  if (run.status !== 'failed' && run.status !== 'cancelled') {
    throw new Failure('conflict', `Run ${run.run_id} is ${run.status}; only a failed or cancelled one can be retried`);
  }
  const depth = await depthOf(deps.db, caller);
  const attempt = run.attempt + 1;
  const workflow = workflowOf(run, attempt);
  await deps.db.transaction().execute(async (trx) => {
    const changed = await trx
      .updateTable('pipeline_runs')
      .set({
        attempt,
        // It is as deep as whoever tries it again has made it now.
        principal: sql`jsonb_set(principal, '{depth}', to_jsonb(${depth}::int))`,
        workflow_id: workflow.workflow_id,
        status: 'pending',
        error: 'null',
        completed_at: null,
        updated_at: new Date(),
      })
      .where('run_id', '=', run.run_id)
      .where('attempt', '=', run.attempt)
      .where('status', 'in', ['failed', 'cancelled'])
      .executeTakeFirst();
    if (changed.numUpdatedRows === 0n) throw new Failure('conflict', `Run ${run.run_id} was retried just now`);
    const definition = await findDefinition(trx, run);
    if (!definition) throw new Failure('not_found', `Version ${run.version} of the pipeline is gone`);
    const again = (await stagesOf(trx, run.run_id)).filter(({ stage, status }) => {
      if (status === 'completed' || status === 'skipped') return false;
      if (status !== 'failed') return true;
      const { required = true, on_failure = required ? 'fail' : 'continue' } = definition.stages[stage] ?? {};
      return on_failure === 'fail' || (typeof on_failure === 'object' && required);
    });
    const undone = again.flatMap(({ stage }) => compensatorOf(definition.stages[stage]?.on_failure) ?? []);
    await resetStages(
      trx,
      run.run_id,
      again.map(({ stage }) => stage),
    );
    // Needed again only when its stage fails again.
    const idle = definition.stages.flatMap(({ name }, index) => (undone.includes(name) ? [index] : []));
    await idleCompensators(trx, run.run_id, idle);
    await insertRun(trx, workflow);
  });
  await startAdmitted(deps, workflow);
}

async function idleCompensators(
  trx: Parameters<typeof resetStages>[0],
  runId: string,
  stages: number[],
): Promise<void> {
  if (stages.length === 0) return;
  await resetStages(trx, runId, stages);
  await trx
    .updateTable('pipeline_stages')
    .set({ status: 'skipped', reason: NOT_NEEDED })
    .where('run_id', '=', runId)
    .where('stage', 'in', stages)
    .where('item', '=', -1)
    .execute();
}

/**
 * Hands a decision to the run that waits for it. Throws Failure('conflict') when it was decided before, or the run is
 * over; Failure('unavailable') when the run cannot answer now, in which case nothing was decided.
 */
export async function decideApproval(
  deps: Deps,
  principal: Principal,
  of: { approval: ApprovalRow; run: PipelineRunRow; requestId: string },
  given: { decision: 'approve' | 'reject'; comment: string | null },
): Promise<void> {
  const { approval, run } = of;
  const { approval_id } = approval;
  if (approval.status !== 'pending') throw decided(approval_id, approval.status);
  const decision: Decision = { approval_id, by: principal.id, ...given };
  const answer = await ask(
    deps,
    run.workflow_id,
    decision,
    `decide/${approval_id}/${of.requestId}/${principal.id}/${given.decision}`,
  );
  if (!answer.accepted) throw decided(approval_id, answer.status);
}

async function ask(deps: Deps, workflowId: string, decision: Decision, updateId: string): Promise<DecisionAnswer> {
  try {
    return await deps.temporal.withDeadline(Date.now() + ANSWER_MS, () =>
      deps.temporal.workflow
        .getHandle(workflowId)
        .executeUpdate<DecisionAnswer, [Decision]>(MESSAGES.decide, { args: [decision], updateId }),
    );
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) {
      throw new Failure('conflict', 'The run that asked for this approval is over', { cause: error });
    }
    if (isUnreachable(error)) throw error;
    throw new Failure('unavailable', 'The run did not take the decision; try again shortly', { cause: error });
  }
}

function decided(id: string, status: string): Failure {
  return new Failure('conflict', `Approval ${id} is ${status} already`);
}
