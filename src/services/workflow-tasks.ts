/** Workflows as MCP tasks: read from the rows, so that they answer without a worker, after any restart, on any replica. */

import type { z } from 'zod';
import type { Deps } from '../deps.ts';
import type { TaskOutcome, TaskState, TasksService } from '../mcp/contract.ts';
import { Failure, isFailureCode } from '../schema/failures.ts';
import { type FileAccepted, fileLinks } from '../schema/files.ts';
import { WORKFLOWS } from '../schema/names.ts';
import type { RunStarted } from '../schema/pipeline-views.ts';
import { type TaskAccepted, taskLinks } from '../schema/tasks.ts';
import { fileView, findFile } from '../stores/files.ts';
import { findPipelineRun } from '../stores/pipeline-runs.ts';
import type { RunRow } from '../stores/runs.ts';
import { findRun } from '../stores/runs.ts';
import { findTask } from '../stores/tasks.ts';
import { cancelRun } from './engine.ts';
import { decisionsIn, questionsOf } from './pipelines/questions.ts';
import { runLinks, runView } from './pipelines/views.ts';
import { resourceId, standingOf } from './run-state.ts';
import { cancelTask } from './tasks/control.ts';
import { taskDetail } from './tasks/views.ts';
import { listRuns } from './workflows.ts';

const DAY_MS = 86_400_000;
const POLL_MS = 500;

const STATES: Record<RunRow['status'], TaskState['state']> = {
  pending: 'working',
  running: 'working',
  completed: 'succeeded',
  failed: 'failed',
  timed_out: 'failed',
  cancelled: 'cancelled',
  terminated: 'cancelled',
};

/** Only the owner sees a task: not even an administrator, who has the workflow tools for that. */
export function workflowTasks(deps: Deps): TasksService {
  const own = async (owner: string, id: string): Promise<RunRow | null> => {
    const row = await findRun(deps.db, id);
    return row && row.owner === owner ? row : null;
  };
  return {
    async get(principal, id, mayAsk) {
      const row = await own(principal.id, id);
      const state = row && taskState(deps, row, await messageOf(deps, row));
      const runId = state?.state === 'working' && mayAsk ? resourceId(row as RunRow, 'run') : undefined;
      const inputRequests = runId === undefined ? {} : await questionsOf(deps, principal, runId);
      return state && Object.keys(inputRequests).length > 0
        ? { ...state, state: 'input_required', inputRequests }
        : state;
    },
    async update(principal, id, answers, run) {
      const row = await own(principal.id, id);
      const runId = row ? resourceId(row, 'run') : undefined;
      if (runId === undefined) return;
      const open = await questionsOf(deps, principal, runId);
      for (const given of decisionsIn(answers)) {
        // Of an answer that comes late or twice nothing becomes, as the protocol wants.
        if (given.approval_id in open) await run('approvals.decide', given).catch(unlessDecided);
      }
    },
    async cancel(principal, id) {
      const row = await own(principal.id, id);
      if (row && row.closed_at === null) await cancelWork(deps, row);
    },
    async list(principal, cursor) {
      const page = await listRuns(
        deps,
        { ...principal, role: 'viewer', grants: [] },
        { limit: 50, ...(cursor === null ? {} : { cursor }) },
      );
      return { tasks: page.items.map((row) => taskState(deps, row, null)), nextCursor: page.next_cursor };
    },
    async result(principal, id): Promise<TaskOutcome> {
      const row = await own(principal.id, id);
      if (!row) return { broken: { code: -32602, message: `No task ${id}` } };
      if (row.error !== null) {
        // Agents have codes of their own.
        const other = row.type === WORKFLOWS.runTask ? 'agent_failed' : 'internal';
        const code = isFailureCode(row.error.code) ? row.error.code : other;
        return { failure: new Failure(code, row.error.detail) };
      }
      return { output: await outputOf(deps, row) };
    },
  };
}

/** Somebody else was quicker. */
function unlessDecided(error: unknown): void {
  if (!(error instanceof Failure) || error.code !== 'conflict') throw error;
}

/** A task or a run of a pipeline has rows of its own that its cancelling must reach. */
async function cancelWork(deps: Deps, row: RunRow): Promise<void> {
  const taskId = resourceId(row, 'task');
  const task = taskId === undefined ? undefined : await findTask(deps.db, taskId);
  if (task && task.phase !== 'closed') await cancelTask(deps, task);
  else await cancelRun(deps, row.workflow_id);
}

function taskState(deps: Deps, row: RunRow, message: string | null): TaskState {
  return {
    id: row.workflow_id,
    owner: row.owner,
    state: STATES[row.status],
    message,
    createdAt: row.created_at.toISOString(),
    updatedAt: (row.closed_at ?? row.started_at ?? row.created_at).toISOString(),
    ttlMs: deps.config.RETENTION_DAYS * DAY_MS,
    pollIntervalMs: POLL_MS,
  };
}

async function messageOf(deps: Deps, row: RunRow): Promise<string | null> {
  if (row.error) return row.error.detail;
  const standing = await standingOf(deps, row);
  return standing && `${standing.message}, ${standing.percent}%`;
}

/** In the shape of the output of the tool that started it: clients of the older era check it against that. */
async function outputOf(deps: Deps, row: RunRow): Promise<unknown> {
  const { workflow_id, status } = row;
  const known = (await fileOutput(deps, row)) ?? (await taskOutput(deps, row)) ?? (await runOutput(deps, row)) ?? null;
  return known ?? { workflow_id, status };
}

async function fileOutput(deps: Deps, row: RunRow): Promise<z.input<typeof FileAccepted> | null> {
  const id = row.type === WORKFLOWS.ingestFile ? resourceId(row, 'file') : undefined;
  const file = id === undefined ? undefined : await findFile(deps.db, id);
  if (!file) return null;
  const { file_id, workflow_id, status } = file;
  return { file_id, workflow_id, status, duplicate: false, links: fileLinks(file), file: fileView(file) };
}

async function taskOutput(deps: Deps, row: RunRow): Promise<z.input<typeof TaskAccepted> | null> {
  const id = resourceId(row, 'task');
  const task = id === undefined ? undefined : await findTask(deps.db, id);
  if (!task) return null;
  const { task_id, status, workflow_id } = task;
  const links = taskLinks(task);
  return { task_id, status, workflow_id, queue_position: null, links, task: await taskDetail(deps, task) };
}

async function runOutput(deps: Deps, row: RunRow): Promise<z.input<typeof RunStarted> | null> {
  const id = resourceId(row, 'run');
  const run = id === undefined ? undefined : await findPipelineRun(deps.db, id);
  if (!run) return null;
  const { run_id, workflow_id, status } = run;
  return { run_id, workflow_id, status, links: runLinks(deps.config, run), run: await runView(deps, run) };
}
