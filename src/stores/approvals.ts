/** Approvals as rows: asked for once, decided once. */
import { type Selectable, sql } from 'kysely';
import { eventResource } from '../schema/live.ts';
import type { Tables } from '../schema/tables.ts';
import { decodeCursor, pageFrom } from './cursor.ts';
import type { Db, Trx } from './database.ts';
import { appendEvents } from './events.ts';
import type { Page } from './file-lists.ts';
import { findPipelineRun, ofGranted, type PageOf, type RunsOf } from './pipeline-runs.ts';

export type ApprovalRow = Selectable<Tables['approvals']>;

export async function findApproval(db: Db | Trx, approvalId: string): Promise<ApprovalRow | undefined> {
  return db.selectFrom('approvals').selectAll().where('approval_id', '=', approvalId).executeTakeFirst();
}

/** Asks, unless it was asked already; resolves with the row and whether it is new. */
export async function askApproval(
  trx: Trx,
  ask: Pick<ApprovalRow, 'approval_id' | 'run_id' | 'stage' | 'owner' | 'message' | 'deadline'>,
  pipelineId: string,
  workflowId: string,
): Promise<{ row: ApprovalRow; asked: boolean }> {
  const inserted = await trx
    .insertInto('approvals')
    .values(ask)
    .onConflict((conflict) => conflict.column('approval_id').doNothing())
    .returningAll()
    .executeTakeFirst();
  if (!inserted) {
    const row = await findApproval(trx, ask.approval_id);
    if (!row) throw new Error('an approval vanished');
    return { row, asked: false };
  }
  await appendEvents(trx, [
    {
      name: 'approval.requested',
      owner: ask.owner,
      resource: eventResource.run(ask.run_id),
      workflow_id: workflowId,
      key: `approval/${ask.approval_id}/requested`,
      data: {
        approval_id: ask.approval_id,
        run_id: ask.run_id,
        pipeline_id: pipelineId,
        stage: ask.stage,
        message: ask.message,
        deadline: ask.deadline.toISOString(),
      },
    },
  ]);
  return { row: inserted, asked: true };
}

export interface Settlement {
  approval_id: string;
  status: Exclude<ApprovalRow['status'], 'pending'>;
  decided_by: string | null;
  comment: string | null;
}

/** The first decision counts; resolves with whether this was it, and with the status in force. */
export async function settleApprovalRow(
  trx: Trx,
  settlement: Settlement,
  workflowId: string | null,
): Promise<{ accepted: boolean; status: string }> {
  const { approval_id, status, decided_by, comment } = settlement;
  const row = await trx
    .updateTable('approvals')
    .set({ status, decided_by, comment, decided_at: sql<Date>`now()` })
    .where('approval_id', '=', approval_id)
    .where('status', '=', 'pending')
    .returningAll()
    .executeTakeFirst();
  if (!row) {
    const standing = await findApproval(trx, approval_id);
    return { accepted: false, status: standing?.status ?? 'cancelled' };
  }
  const run = await findPipelineRun(trx, row.run_id);
  await appendEvents(trx, [
    {
      name: 'approval.decided',
      owner: row.owner,
      resource: eventResource.run(row.run_id),
      workflow_id: workflowId,
      key: `approval/${approval_id}/decided`,
      data: {
        approval_id,
        run_id: row.run_id,
        pipeline_id: run?.pipeline_id ?? null,
        stage: row.stage,
        status,
        decided_by,
        comment,
      },
    },
  ]);
  return { accepted: true, status };
}

/** Open ones of a run that ended. */
export async function cancelApprovals(trx: Trx, runId: string, workflowId: string): Promise<void> {
  const open = await trx
    .selectFrom('approvals')
    .select('approval_id')
    .where('run_id', '=', runId)
    .where('status', '=', 'pending')
    .execute();
  for (const { approval_id } of open) {
    await settleApprovalRow(trx, { approval_id, status: 'cancelled', decided_by: null, comment: null }, workflowId);
  }
}

export async function openApprovalsOf(db: Db | Trx, runId: string): Promise<ApprovalRow[]> {
  return db
    .selectFrom('approvals')
    .selectAll()
    .where('run_id', '=', runId)
    .where('status', '=', 'pending')
    .orderBy('stage')
    .execute();
}

/** Newest first; of runs that the caller was granted too. */
export async function listApprovals(
  db: Db,
  query: RunsOf & PageOf & { status?: ApprovalRow['status'] | undefined; run_id?: string | undefined },
): Promise<Page<ApprovalRow>> {
  const { owners, granted, limit, status, run_id } = query;
  const after = decodeCursor(query.cursor, 2);
  let rows = db.selectFrom('approvals').selectAll().select(sql<string>`requested_at::text`.as('position'));
  if (owners !== null) rows = rows.where((eb) => eb.or([eb('owner', 'in', owners), ...ofGranted(granted)]));
  if (status) rows = rows.where('status', '=', status);
  if (run_id) rows = rows.where('run_id', '=', run_id);
  if (after) rows = rows.where(sql<boolean>`(requested_at, approval_id) < (${after[0]}::timestamptz, ${after[1]})`);
  const found = await rows
    .orderBy('requested_at', 'desc')
    .orderBy('approval_id', 'desc')
    .limit(limit + 1)
    .execute();
  return pageFrom(found, limit, (row) => [row.position, row.approval_id]);
}
