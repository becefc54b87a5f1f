/** `tasks.submit`: a task of its own, with or without a pipeline's label. */
import type { Deps } from '../../deps.ts';
import { canSee } from '../../schema/access.ts';
import { Failure } from '../../schema/failures.ts';
import type { Principal } from '../../schema/principal.ts';
import { SubmitTask, TaskAccepted, taskLinks } from '../../schema/tasks.ts';
import { assertUsableAgent } from '../../services/agents/lookup.ts';
import { type SubmittedTask, submitTask } from '../../services/tasks/submit.ts';
import { isAboutToBeClaimed } from '../../stores/task-pullers.ts';
import { defineOperation } from '../contract.ts';

export const tasksSubmit = defineOperation({
  name: 'tasks.submit',
  summary: 'Submit a task; a durable workflow sees it through',
  room: 'tasks',
  permission: 'tasks:write',
  input: SubmitTask,
  output: TaskAccepted,
  http: { method: 'post', path: '/api/v1/tasks', status: 202, tag: 'tasks' },
  mcp: {
    tool: 'submit_task',
    title: 'Submit a task',
    description:
      'Submits a task of one of six types (data-ingestion, transformation, analysis, validation, processing, output); an ' +
      'agent of yours or a shared one that fits does it, else the built-in executor. Returns task_id and workflow_id at once; wait with ' +
      'wait_for_workflow.',
    readOnly: false,
    destructive: false,
    idempotent: false,
    openWorld: true,
    listed: true,
    taskFrom: 'workflow_id',
  },
  failures: ['not_found', 'payload_too_large', 'idempotency_mismatch', 'conflict', 'quota_exceeded', 'unavailable'],
  audited: true,
  async run({ deps, principal, idempotencyKey }, input) {
    const { timeout, pipeline_id = null, stage = null, agent_id, ...rest } = input;
    if (pipeline_id !== null) await assertPipeline(deps, principal, pipeline_id);
    if (agent_id !== undefined) await assertUsableAgent(deps, principal, { ...rest, agent_id });
    const submitted = await submitTask(
      deps,
      {
        ...rest,
        owner: principal.id,
        pipeline_id,
        stage,
        wanted_agent: agent_id ?? null,
        ...(timeout === undefined ? {} : { timeout_seconds: timeout }),
      },
      idempotencyKey === null ? null : { key: idempotencyKey, body: JSON.stringify(input) },
    );
    return { ...submitted, queue_position: await placeOf(deps, submitted), links: taskLinks(submitted) };
  },
});

/** Null for a task that an agent takes as soon as it asks: it waits for nobody else. */
async function placeOf(deps: Deps, { task_id, queue_position: place }: SubmittedTask): Promise<number | null> {
  if (place === null) return null;
  return (await isAboutToBeClaimed(deps.db, { task_id, place, cap: deps.config.MAX_CONCURRENT_TASKS })) ? null : place;
}

async function assertPipeline(deps: Deps, principal: Principal, pipelineId: string): Promise<void> {
  const row = await deps.db
    .selectFrom('pipelines')
    .select('owner')
    .where('pipeline_id', '=', pipelineId)
    .where('deleted_at', 'is', null)
    .executeTakeFirst();
  if (!row || !canSee(principal, { owner: row.owner, ref: `pipeline:${pipelineId}` })) {
    throw new Failure('not_found', `No pipeline ${pipelineId}`);
  }
}
