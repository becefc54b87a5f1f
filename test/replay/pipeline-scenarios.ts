/** The runs of pipelines and deliveries whose histories are recorded: every way they can go. */
import { createServer, type Server } from 'node:http';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { QUEUES, WORKFLOWS } from '../../src/schema/names.ts';
import type { RunPipelineInput } from '../../src/schema/pipeline-flow.ts';
import type { RunTaskInput } from '../../src/schema/task-flow.ts';
import { uuidV5 } from '../../src/stores/ids.ts';
import type { System } from '../support/system.ts';
import type { Recorded } from './scenarios.ts';

const whoami = (name: string, more: object = {}) => ({ name, type: 'operation', operation: 'whoami', ...more });
/** Ends in a failure that no repeat helps. */
const broken = (name: string, more: object = {}) => ({
  name,
  type: 'operation',
  operation: 'files.get',
  input: { file_id: '00000000-0000-4000-8000-000000000000' },
  ...more,
});
const chain = (...stages: object[]) => ({
  name: 'recorded',
  stages,
  dependencies: stages.slice(1).map((_, n) => ({ from: n, to: n + 1 })),
});

/** Events after which the run that is to continue as new does: some items in. */
const FEW_EVENTS = 20;

export async function runPipelineScenarios(system: System, client: Client): Promise<Recorded[]> {
  const recorded: Recorded[] = [];
  const receiver = await receive();
  const { port } = receiver.address() as { port: number };

  async function ask(method: string, path: string, body?: object, headers?: Record<string, string>): Promise<any> {
    const answer = await system.call(method, path, body as Record<string, unknown>, headers);
    if (answer.status < 300) return answer.body;
    throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  }
  async function execute(name: string, definition: object, more: object = {}): Promise<string> {
    const { pipeline_id } = await ask('POST', '/api/v1/pipelines', definition);
    const { run_id, workflow_id } = await ask('POST', `/api/v1/pipelines/${pipeline_id}/execute`, more);
    recorded.push({ name, workflowId: workflow_id });
    return run_id;
  }
  async function until(runId: string, holds: (run: any) => boolean): Promise<any> {
    for (;;) {
      const run = await ask('GET', `/api/v1/pipeline-runs/${runId}`);
      if (holds(run)) return run;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  const over = (runId: string) => until(runId, ({ completed_at }) => completed_at !== null);
  const waits = (runId: string) => until(runId, ({ approvals }) => approvals.length > 0);
  const steer = (runId: string, verb: string) => ask('POST', `/api/v1/pipeline-runs/${runId}/${verb}`, {});
  const delivery = async (runId: string, holds: (row: any) => boolean): Promise<any> => {
    for (;;) {
      const { items } = await ask('GET', `/api/v1/notifications?run_id=${runId}`);
      const found = items.find(holds);
      if (found) return found;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const hook = (status: number) => ({ notification: { webhook: `http://localhost:${port}/${status}` } });

  const load = { name: 'load', type: 'data-ingestion', config: { rows: [{ n: 1 }, { n: 2 }] } };
  const keep = { name: 'keep', type: 'transformation', config: { sql: 'SELECT n FROM input WHERE n > 1' } };
  await over(await execute('runPipeline-completed', chain(load, keep)));

  const undone = chain(broken('break', { on_failure: { compensate: 'undo' } }));
  undone.stages.push(whoami('undo'));
  await over(await execute('runPipeline-failed', undone));

  const asks = chain(broken('break', { on_failure: { compensate: 'undo' } }));
  asks.stages.push(whoami('undo', { approval: true, for_each: { items: [1, 2] } }));
  const asking = await execute('runPipeline-asked', asks);
  const { approvals: wanted } = await waits(asking);
  await ask('POST', `/api/v1/approvals/${wanted[0].approval_id}/decide`, { decision: 'approve' });
  await over(asking);

  await over(
    await execute('runPipeline-retried', chain(broken('break', { retry: { max_attempts: 2, backoff_seconds: 0.1 } }))),
  );

  const each = { ...load, for_each: { items: [1, 2] }, config: { rows: [{ n: '$' + '{item}' }] } };
  await over(await execute('runPipeline-each', chain(each)));

  const forgiven = chain(broken('break', { on_failure: 'skip' }), whoami('skipped'));
  await over(await execute('runPipeline-skipped', forgiven));

  const careful = chain(whoami('first'), whoami('careful', { approval: true }));
  const paused = await execute('runPipeline-paused', careful);
  const { approvals } = await waits(paused);
  await steer(paused, 'pause');
  await ask('POST', `/api/v1/approvals/${approvals[0].approval_id}/decide`, { decision: 'approve' });
  await steer(paused, 'resume');
  await over(paused);

  const cancelled = await execute('runPipeline-cancelled', careful);
  await waits(cancelled);
  await steer(cancelled, 'cancel');
  await over(cancelled);

  // The same run under a workflow that continues as new early; recorded is the part that did.
  const items = whoami('each', { for_each: { items: [1, 2, 3, 4, 5], concurrency: 1 } });
  const long = await execute('runPipeline-continued', chain(whoami('asks', { approval: true }), items));
  const { approvals: last, pipeline_id, owner, workflow_id } = await waits(long);
  const args: [RunPipelineInput] = [{ run_id: long, pipeline_id, owner, attempt: 1, history_limit: FEW_EVENTS }];
  const handle = await client.workflow.start(WORKFLOWS.runPipeline, {
    workflowId: workflow_id,
    taskQueue: QUEUES.workflows,
    args,
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    workflowIdConflictPolicy: 'TERMINATE_EXISTING',
  });
  Object.assign(recorded.at(-1) ?? {}, { runId: handle.firstExecutionRunId });
  await ask('POST', `/api/v1/approvals/${last[0].approval_id}/decide`, { decision: 'approve' });
  await over(long);

  const { agent_id, token } = await ask('POST', '/api/v1/agents/register', {
    name: 'recorded pipelines',
    capabilities: ['recorded-pipelines'],
  });
  const task = { name: 'rate', type: 'analysis', executor: 'agent', capabilities: ['recorded-pipelines'] };
  const asked = await execute('runPipeline-task', chain(load, task));
  const as = { authorization: `Bearer ${token}` };
  for (let done = false; !done; ) {
    const { tasks } = await ask('POST', `/api/v1/agents/${agent_id}/tasks/claim`, { wait_seconds: 2 }, as);
    for (const { task_id, attempt } of tasks) {
      await ask('POST', `/api/v1/tasks/${task_id}/complete`, { attempt, result: { rated: 1 } }, as);
      done = true;
    }
  }
  await over(asked);
  await ask('DELETE', `/api/v1/agents/${agent_id}`);

  // The task's workflow is there before the run gets to start it, as after the death of the process that opened the task.
  const waiting = await execute('runPipeline-waiting-cancelled', chain({ ...task, approval: true }));
  const { approvals: first, ...halted } = await waits(waiting);
  const task_id = `task-${uuidV5(`stage-task:${halted.workflow_id}/0/-1/1/-1`)}`;
  const waited: [RunTaskInput] = [
    { task_id, owner: halted.owner, attempt: 1, timeout_seconds: 3600, assigned: false, in_place: true },
  ];
  await client.workflow.start(WORKFLOWS.runTask, { workflowId: task_id, taskQueue: QUEUES.workflows, args: waited });
  await ask('POST', `/api/v1/approvals/${first[0].approval_id}/decide`, { decision: 'approve' });
  await untilWaiting(client.workflow.getHandle(halted.workflow_id));
  await steer(waiting, 'cancel');
  await over(waiting);

  for (const [name, status, ends] of [
    ['deliverNotification-delivered', 204, 'delivered'],
    ['deliverNotification-undelivered', 410, 'undelivered'],
    ['deliverNotification-cancelled', 500, 'cancelled'],
  ] as const) {
    const runId = await execute('runPipeline-told', chain(whoami('one')), hook(status));
    // Only the delivery is of interest.
    recorded.pop();
    const row = await delivery(runId, ({ attempts }) => attempts > 0);
    const workflowId = `notify-${row.notification_id}`;
    if (ends === 'cancelled') await ask('POST', `/api/v1/workflows/${workflowId}/cancel`, {});
    await delivery(runId, (last) => last.status === ends);
    recorded.push({ name, workflowId });
  }
  receiver.close();
  return recorded;
}

/** Resolves when the run has asked for its task's end. */
async function untilWaiting(run: WorkflowHandle): Promise<void> {
  const asks = ({
    activityTaskScheduledEventAttributes: scheduled,
  }: {
    activityTaskScheduledEventAttributes?: unknown;
  }) => (scheduled as { activityType?: { name?: string } } | null | undefined)?.activityType?.name === 'awaitStageTask';
  while (!((await run.fetchHistory()).events ?? []).some(asks)) await new Promise((resolve) => setTimeout(resolve, 50));
}

/** Answers with the status that the path names. */
function receive(): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer((request, response) => {
      request.resume();
      response.writeHead(Number(request.url?.slice(1))).end();
    }).listen(0, () => resolve(server));
  });
}
