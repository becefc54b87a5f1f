/** Finds pipelines, runs and approvals for a caller: one that may not see them is told that there are none. */
import type { Deps } from '../../deps.ts';
import { canChange, canSee, visibleOwners } from '../../schema/access.ts';
import { Failure } from '../../schema/failures.ts';
import type { Principal } from '../../schema/principal.ts';
import { type ApprovalRow, findApproval } from '../../stores/approvals.ts';
import { findPipelineRun, type PipelineRunRow, type RunsOf } from '../../stores/pipeline-runs.ts';
import { findPipeline, type PipelineRow } from '../../stores/pipelines.ts';

type Needs = Pick<Deps, 'db'>;

export async function visiblePipeline(deps: Needs, principal: Principal, id: string): Promise<PipelineRow> {
  const row = await findPipeline(deps.db, id);
  if (!row || !canSee(principal, { owner: row.owner, ref: `pipeline:${id}` })) {
    throw new Failure('not_found', `No pipeline ${id}`);
  }
  return row;
}

export async function changeablePipeline(deps: Needs, principal: Principal, id: string): Promise<PipelineRow> {
  const row = await visiblePipeline(deps, principal, id);
  if (canChange(principal, { owner: row.owner, ref: `pipeline:${id}` })) return row;
  throw new Failure('forbidden', `Pipeline ${id} may be read but not changed with these credentials`);
}

/** A grant on a pipeline, or on the workflow of a run, reaches the run and all that belongs to it. */
export function maySeeRun(principal: Principal, row: PipelineRunRow): boolean {
  return refsOf(row).some((ref) => canSee(principal, { owner: row.owner, ref }));
}

export function mayChangeRun(principal: Principal, row: PipelineRunRow): boolean {
  return refsOf(row).some((ref) => canChange(principal, { owner: row.owner, ref }));
}

export async function visibleRunOf(deps: Needs, principal: Principal, id: string): Promise<PipelineRunRow> {
  const row = await findPipelineRun(deps.db, id);
  if (!row || !maySeeRun(principal, row)) throw new Failure('not_found', `No pipeline run ${id}`);
  return row;
}

export async function changeableRunOf(deps: Needs, principal: Principal, id: string): Promise<PipelineRunRow> {
  const row = await visibleRunOf(deps, principal, id);
  if (mayChangeRun(principal, row)) return row;
  throw new Failure('forbidden', `Pipeline run ${id} may be read but not changed with these credentials`);
}

/** Who may see the run may see what it waits for; deciding needs the permission besides. */
export async function visibleApproval(
  deps: Needs,
  principal: Principal,
  id: string,
): Promise<{ approval: ApprovalRow; run: PipelineRunRow }> {
  const approval = await findApproval(deps.db, id);
  if (!approval) throw new Failure('not_found', `No approval ${id}`);
  const run = await visibleRunOf(deps, principal, approval.run_id).catch((error) => {
    if (error instanceof Failure && error.code === 'not_found') throw new Failure('not_found', `No approval ${id}`);
    throw error;
  });
  return { approval, run };
}

function refsOf(row: PipelineRunRow): string[] {
  return [`run:${row.run_id}`, `pipeline:${row.pipeline_id}`, `workflow:${row.workflow_id}`];
}

/** Whose runs a caller sees in lists: the same as one by one. */
export function visibleRuns(principal: Principal): RunsOf {
  const of = (kind: Parameters<typeof grantedIds>[1]) => grantedIds(principal, kind);
  return {
    owners: visibleOwners(principal),
    granted: { runs: of('run'), pipelines: of('pipeline'), workflows: of('workflow') },
  };
}

/** Ids of one kind that a caller was granted one by one. */
export function grantedIds(principal: Principal, kind: 'pipeline' | 'run' | 'workflow'): string[] {
  return principal.grants.flatMap(({ resource }) =>
    resource.startsWith(`${kind}:`) ? [resource.slice(kind.length + 1)] : [],
  );
}
