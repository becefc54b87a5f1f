/** How the work of a workflow stands, in words and in percent, whatever it works on: a file, a task, a run of a pipeline. */
import type { Deps } from '../deps.ts';
import { openApprovalsOf } from '../stores/approvals.ts';
import { findFile } from '../stores/files.ts';
import { findPipelineRun, type PipelineRunRow } from '../stores/pipeline-runs.ts';
import { stagesOf } from '../stores/pipeline-stages.ts';
import type { RunRow } from '../stores/runs.ts';
import { placeInQueue } from '../stores/task-order.ts';
import { findTask, type TaskRow } from '../stores/tasks.ts';

export interface Standing {
  /** 0 to 100. */
  percent: number;
  message: string;
}

/** The id in `file:<id>`, `task:<id>`, `run:<id>`; undefined for a resource of another kind. */
export function resourceId(row: Pick<RunRow, 'resource'>, kind: 'file' | 'task' | 'run'): string | undefined {
  return row.resource?.startsWith(`${kind}:`) ? row.resource.slice(kind.length + 1) : undefined;
}

/** Null where there is nothing to tell: maintenance, and what was deleted meanwhile. */
export async function standingOf(deps: Pick<Deps, 'db'>, row: Pick<RunRow, 'resource'>): Promise<Standing | null> {
  const fileId = resourceId(row, 'file');
  if (fileId !== undefined) {
    const file = await findFile(deps.db, fileId);
    return file ? { percent: file.progress, message: `${file.filename}: ${file.phase}` } : null;
  }
  const taskId = resourceId(row, 'task');
  if (taskId !== undefined) {
    const task = await findTask(deps.db, taskId);
    return task ? { percent: percentOf(task.progress), message: await taskMessage(deps, task) } : null;
  }
  const runId = resourceId(row, 'run');
  const run = runId === undefined ? undefined : await findPipelineRun(deps.db, runId);
  return run ? { percent: percentOf(run.progress), message: await runMessage(deps, run) } : null;
}

async function taskMessage(deps: Pick<Deps, 'db'>, task: TaskRow): Promise<string> {
  const place = task.phase === 'queued' ? await placeInQueue(deps.db, task.task_id) : null;
  return `${task.type}: ${place ? `place ${place.place} of ${place.of} in the queue` : task.status}`;
}

/** The stages at work, and what waits for a person. */
async function runMessage(deps: Pick<Deps, 'db'>, run: PipelineRunRow): Promise<string> {
  const stages = await stagesOf(deps.db, run.run_id);
  const at = stages.filter(({ status }) => status === 'running' || status === 'retrying').map(({ name }) => name);
  const approvals = await openApprovalsOf(deps.db, run.run_id);
  const waits = approvals.map(({ stage, approval_id }) => {
    const name = stages.find((row) => row.stage === stage)?.name ?? `stage ${stage}`;
    return `${name} waits for approval ${approval_id}`;
  });
  const done = stages.filter(({ status }) => status === 'completed').length;
  return [`${run.status}: ${done} of ${stages.length} stages`, ...at, ...waits].join(', ');
}

function percentOf(share: number): number {
  return Math.floor(share * 100);
}
