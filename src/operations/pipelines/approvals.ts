/** `approvals.*`: what waits for a decision, and deciding it. */
import { z } from 'zod';
import { PageQuery, pageOf } from '../../schema/files.ts';
import { isStorable } from '../../schema/json.ts';
import { ApprovalView } from '../../schema/pipeline-views.ts';
import { PipelineId, STORABLE } from '../../schema/pipelines.ts';
import { decideApproval } from '../../services/pipelines/control.ts';
import { visibleApproval, visibleRuns } from '../../services/pipelines/lookup.ts';
import { approvalView } from '../../services/pipelines/views.ts';
import { findApproval, listApprovals } from '../../stores/approvals.ts';
import { type AnyOperation, defineOperation } from '../contract.ts';

const list = defineOperation({
  name: 'approvals.list',
  summary: 'Approvals that stages asked for, newest first',
  room: 'pipelines',
  permission: 'pipelines:read',
  input: z.object({
    status: ApprovalView.shape.status.optional(),
    run_id: PipelineId.optional(),
    ...PageQuery,
  }),
  output: pageOf(ApprovalView),
  http: { method: 'get', path: '/api/v1/approvals', tag: 'approvals' },
  failures: ['unavailable'],
  audited: false,
  async run({ deps, principal }, input) {
    const page = await listApprovals(deps.db, { ...input, ...visibleRuns(principal) });
    return { ...page, items: page.items.map(approvalView) };
  },
});

const decide = defineOperation({
  name: 'approvals.decide',
  summary: 'Approve or reject what a stage waits for; the first decision counts',
  room: 'pipelines',
  permission: 'approvals:decide',
  input: z.object({
    approval_id: PipelineId,
    decision: z.enum(['approve', 'reject']),
    comment: z.string().max(2_000).refine(isStorable, STORABLE).nullish(),
  }),
  output: ApprovalView,
  http: { method: 'post', path: '/api/v1/approvals/{approval_id}/decide', tag: 'approvals' },
  mcp: {
    tool: 'decide_approval',
    title: 'Decide an approval',
    description:
      'Approves or rejects what a pipeline stage waits for, under your name, once: the first decision counts. Ask the person you work for before you decide. approvals.list by call_tool shows what waits.',
    readOnly: false,
    destructive: true,
    idempotent: false,
    openWorld: false,
    listed: true,
  },
  failures: ['not_found', 'conflict', 'unavailable'],
  audited: true,
  async run({ deps, principal, requestId }, { approval_id, decision, comment }) {
    const found = await visibleApproval(deps, principal, approval_id);
    await decideApproval(deps, principal, { ...found, requestId }, { decision, comment: comment ?? null });
    return approvalView((await findApproval(deps.db, approval_id)) ?? found.approval);
  },
});

export const approvalOperations: AnyOperation[] = [list, decide];
