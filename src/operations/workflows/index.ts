/** The workflows room: list, look, wait, steer. */
import { z } from 'zod';
import { PageQuery, pageOf } from '../../schema/files.ts';
import { MESSAGES, WORKFLOWS } from '../../schema/names.ts';
import { RUN_STATUSES, WorkflowDetail, WorkflowView } from '../../schema/workflows.ts';
import { cancelRun, describeRun, signalRun } from '../../services/engine.ts';
import { standingOf } from '../../services/run-state.ts';
import { changeableRun, listRuns, visibleRun, waitForRun, workflowView } from '../../services/workflows.ts';
import { findRun } from '../../stores/runs.ts';
import { type AnyOperation, defineOperation, READ_ONLY } from '../contract.ts';

const WorkflowRef = z.object({ workflow_id: z.string().min(1).max(200).describe('id of the workflow') });

const list = defineOperation({
  name: 'workflows.list',
  summary: 'Workflows, newest first',
  room: 'workflows',
  permission: 'workflows:read',
  input: z.object({
    status: z.enum(RUN_STATUSES).optional(),
    type: z.enum(Object.values(WORKFLOWS) as [string, ...string[]]).optional(),
    resource: z.string().max(200).optional().describe('what it works on: file:<id>'),
    ...PageQuery,
  }),
  output: pageOf(WorkflowView),
  http: { method: 'get', path: '/api/v1/workflows', tag: 'workflows' },
  mcp: {
    tool: 'list_workflows',
    title: 'List workflows',
    description: 'Lists your durable workflows, newest first, with status and what each works on. Pages by cursor.',
    ...READ_ONLY,
  },
  failures: ['unavailable'],
  audited: false,
  async run({ deps, principal }, input) {
    const page = await listRuns(deps, principal, input);
    return { ...page, items: page.items.map(workflowView) };
  },
});

const get = defineOperation({
  name: 'workflows.get',
  summary: 'One workflow, with what the engine says of it',
  room: 'workflows',
  permission: 'workflows:read',
  input: WorkflowRef,
  output: WorkflowDetail,
  http: { method: 'get', path: '/api/v1/workflows/{workflow_id}', tag: 'workflows' },
  mcp: {
    tool: 'get_workflow',
    title: 'Get a workflow',
    description: 'Status, times, error, pending activities and history length of one workflow by workflow_id.',
    ...READ_ONLY,
  },
  failures: ['not_found', 'unavailable'],
  audited: false,
  async run({ deps, principal }, { workflow_id }) {
    const row = await visibleRun(deps, principal, workflow_id);
    // The rows answer also while the engine is away.
    const engine = await describeRun(deps, workflow_id).catch(() => null);
    const ui = `${deps.config.publicUrl}/temporal/namespaces/${deps.config.TEMPORAL_NAMESPACE}/workflows/${encodeURIComponent(workflow_id)}`;
    return { ...workflowView(row), engine, links: { ui } };
  },
});

const wait = defineOperation({
  name: 'workflows.wait',
  summary: 'Wait until a workflow is over, at most so many seconds',
  room: 'workflows',
  permission: 'workflows:read',
  input: WorkflowRef.extend({
    timeout_seconds: z.coerce
      .number()
      .min(0)
      .max(50)
      .default(20)
      .describe('answers with the current status after this long, at most 50'),
  }),
  output: WorkflowView.extend({ finished: z.boolean() }),
  http: { method: 'get', path: '/api/v1/workflows/{workflow_id}/wait', tag: 'workflows' },
  mcp: {
    tool: 'wait_for_workflow',
    title: 'Wait for a workflow',
    description:
      'Waits until a workflow is over or timeout_seconds (at most 50) have passed, then returns its status; finished tells which. Call again to wait longer. Reports progress meanwhile.',
    ...READ_ONLY,
  },
  failures: ['not_found', 'unavailable'],
  audited: false,
  async run(call, input) {
    const row = await waitForRun(call.deps, call.principal, {
      workflowId: input.workflow_id,
      seconds: input.timeout_seconds,
      signal: call.signal,
      onLook: async (current) => {
        const standing = await standingOf(call.deps, current);
        if (standing) call.report(standing.percent, 100, standing.message);
      },
    });
    return { ...workflowView(row), finished: row.closed_at !== null };
  },
});

const cancel = defineOperation({
  name: 'workflows.cancel',
  summary: 'Ask a workflow to cancel',
  room: 'workflows',
  permission: 'files:write',
  input: WorkflowRef,
  output: WorkflowView,
  http: { method: 'post', path: '/api/v1/workflows/{workflow_id}/cancel', status: 202, tag: 'workflows' },
  mcp: {
    tool: 'cancel_workflow',
    title: 'Cancel a workflow',
    description:
      'Asks a running workflow to cancel; it cleans up after itself. Cancelling one that is over changes nothing.',
    readOnly: false,
    destructive: true,
    idempotent: true,
    openWorld: false,
    listed: true,
  },
  failures: ['not_found', 'conflict', 'unavailable'],
  audited: true,
  async run({ deps, principal }, { workflow_id }) {
    const row = await changeableRun(deps, principal, workflow_id);
    if (row.closed_at === null) await cancelRun(deps, workflow_id);
    return workflowView((await findRun(deps.db, workflow_id)) ?? row);
  },
});

const signal = defineOperation({
  name: 'workflows.signal',
  summary: 'Send a signal to a running workflow',
  room: 'workflows',
  permission: 'files:write',
  input: WorkflowRef.extend({ signal: z.enum([MESSAGES.pause, MESSAGES.resume]).describe('pause or resume') }),
  output: WorkflowView,
  http: { method: 'post', path: '/api/v1/workflows/{workflow_id}/signal', status: 202, tag: 'workflows' },
  mcp: {
    tool: 'signal_workflow',
    title: 'Signal a workflow',
    description:
      'Sends pause or resume to a running ingestion workflow. It stops at its next checkpoint and goes on from there.',
    readOnly: false,
    destructive: false,
    idempotent: true,
    openWorld: false,
    listed: true,
  },
  failures: ['not_found', 'conflict', 'unavailable'],
  audited: true,
  async run({ deps, principal }, input) {
    const row = await changeableRun(deps, principal, input.workflow_id);
    await signalRun(deps, input.workflow_id, input.signal);
    return workflowView(row);
  },
});

export const workflowOperations: AnyOperation[] = [list, get, wait, cancel, signal];
