/** Workflows as MCP tasks: read from the rows, so that they answer without a worker, after any restart, on any replica. */
import type { Deps } from '../deps.ts';
import type { TaskOutcome, TaskState, TasksService } from '../mcp/contract.ts';
import { Failure, isFailureCode } from '../schema/failures.ts';
import { fileLinks } from '../schema/files.ts';
import { fileView, findFile } from '../stores/files.ts';
import type { RunRow } from '../stores/runs.ts';
import { findRun } from '../stores/runs.ts';
import { cancelRun } from './engine.ts';
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
    async get(principal, id) {
      const row = await own(principal.id, id);
      return row && taskState(deps, row, await messageOf(deps, row));
    },
    async cancel(principal, id) {
      const row = await own(principal.id, id);
      if (row && row.closed_at === null) await cancelRun(deps, id);
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
        const code = isFailureCode(row.error.code) ? row.error.code : 'internal';
        return { failure: new Failure(code, row.error.detail) };
      }
      return { output: await outputOf(deps, row) };
    },
  };
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
  const file = row.resource?.startsWith('file:')
    ? await findFile(deps.db, row.resource.slice('file:'.length))
    : undefined;
  return file ? `${file.filename}: ${file.phase}, ${file.progress}%` : null;
}

/** In the shape of the output of the tool that started it: clients of the older era check it against that. */
async function outputOf(deps: Deps, row: RunRow): Promise<unknown> {
  const file = row.resource?.startsWith('file:')
    ? await findFile(deps.db, row.resource.slice('file:'.length))
    : undefined;
  if (row.type !== 'ingestFile' || !file) return { workflow_id: row.workflow_id, status: row.status };
  const { file_id, workflow_id, status } = file;
  return { file_id, workflow_id, status, duplicate: false, links: fileLinks(file), file: fileView(file) };
}
