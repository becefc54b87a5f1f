/** Workflows as a caller may see and steer them. */
import { sql } from 'kysely';
import type { Deps } from '../deps.ts';
import { canChange, canSee, visibleOwners } from '../schema/access.ts';
import { Failure } from '../schema/failures.ts';
import type { Principal } from '../schema/principal.ts';
import type { RunStatus } from '../schema/tables.ts';
import type { WorkflowView } from '../schema/workflows.ts';
import { decodeCursor, pageFrom } from '../stores/cursor.ts';
import type { Page } from '../stores/file-lists.ts';
import { findRun, type RunRow } from '../stores/runs.ts';

export function workflowView(row: RunRow): WorkflowView {
  return {
    workflow_id: row.workflow_id,
    type: row.type,
    room: row.room,
    status: row.status,
    owner: row.owner,
    source: row.source,
    resource: row.resource,
    error: row.error,
    created_at: row.created_at.toISOString(),
    started_at: row.started_at?.toISOString() ?? null,
    closed_at: row.closed_at?.toISOString() ?? null,
  };
}

/** The run, for a caller that may see it; others are told that there is none. */
export async function visibleRun(deps: Deps, principal: Principal, workflowId: string): Promise<RunRow> {
  const row = await findRun(deps.db, workflowId);
  const seen =
    row &&
    (canSee(principal, refOf(row)) ||
      (row.resource !== null && canSee(principal, { owner: row.owner, ref: row.resource })));
  if (!row || !seen) throw new Failure('not_found', `No workflow ${workflowId}`);
  return row;
}

export async function changeableRun(deps: Deps, principal: Principal, workflowId: string): Promise<RunRow> {
  const row = await visibleRun(deps, principal, workflowId);
  const may =
    canChange(principal, refOf(row)) ||
    (row.resource !== null && canChange(principal, { owner: row.owner, ref: row.resource }));
  if (!may) throw new Failure('forbidden', `Workflow ${workflowId} may be read but not changed with these credentials`);
  return row;
}

const refOf = (row: RunRow) => ({ owner: row.owner, ref: `workflow:${row.workflow_id}` });

export interface RunListQuery {
  status?: RunStatus | undefined;
  type?: string | undefined;
  resource?: string | undefined;
  limit: number;
  cursor?: string | undefined;
}

/** Newest first. */
export async function listRuns(deps: Deps, principal: Principal, query: RunListQuery): Promise<Page<RunRow>> {
  const owners = visibleOwners(principal);
  const granted = principal.grants.map((grant) => grant.resource.replace(/^workflow:/, ''));
  const after = decodeCursor(query.cursor, 2);
  let rows = deps.db.selectFrom('workflow_runs').selectAll().select(sql<string>`created_at::text`.as('position'));
  if (owners !== null) {
    rows = rows.where((eb) =>
      eb.or([
        eb('owner', 'in', owners),
        ...(granted.length > 0 ? [eb('workflow_id', 'in', granted), eb('resource', 'in', granted)] : []),
      ]),
    );
  }
  if (query.status) rows = rows.where('status', '=', query.status);
  if (query.type) rows = rows.where('type', '=', query.type as RunRow['type']);
  if (query.resource) rows = rows.where('resource', '=', query.resource);
  if (after) rows = rows.where(sql<boolean>`(created_at, workflow_id) < (${after[0]}::timestamptz, ${after[1]})`);
  const found = await rows
    .orderBy('created_at', 'desc')
    .orderBy('workflow_id', 'desc')
    .limit(query.limit + 1)
    .execute();
  return pageFrom(found, query.limit, (row) => [row.position, row.workflow_id]);
}

/** Time between two looks while waiting. */
const LOOK_EVERY_MS = 250;

/** Waits until the run is closed, at most `seconds`, or until `signal`; resolves with the run as it then is. */
export async function waitForRun(
  deps: Deps,
  principal: Principal,
  wait: { workflowId: string; seconds: number; signal: AbortSignal; onLook?(row: RunRow): Promise<void> },
): Promise<RunRow> {
  const until = Date.now() + wait.seconds * 1000;
  for (;;) {
    const row = await visibleRun(deps, principal, wait.workflowId);
    if (row.closed_at !== null || Date.now() >= until || wait.signal.aborted) return row;
    await wait.onLook?.(row);
    await new Promise((resolve) => setTimeout(resolve, Math.min(LOOK_EVERY_MS, Math.max(1, until - Date.now()))));
  }
}
