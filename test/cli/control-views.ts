/** Agents, tasks, pipelines and runs as the API shows them, for tests to change. */
import type { z } from 'zod';
import type { AgentDetail, AgentView } from '../../src/schema/agents.ts';
import type {
  ApprovalView,
  ArtifactView,
  PipelineView,
  RunStageView,
  RunView,
} from '../../src/schema/pipeline-views.ts';
import type { TaskDetail, TaskListItem } from '../../src/schema/tasks.ts';

export const AGENT_ID = '1b8f6f0a-3f0c-4d4e-9a55-5a5f0f4c1a01';
export const TASK_ID = 'task-2b8f6f0a-3f0c-4d4e-9a55-5a5f0f4c1a01';
export const PIPELINE_ID = '3b8f6f0a-3f0c-4d4e-9a55-5a5f0f4c1a01';
export const RUN_ID = '4b8f6f0a-3f0c-4d4e-9a55-5a5f0f4c1a01';
export const APPROVAL_ID = '5b8f6f0a-3f0c-4d4e-9a55-5a5f0f4c1a01';
const AT = '2026-03-01T10:00:00.000Z';

export function agent(changes: Partial<AgentView> = {}): AgentView {
  return {
    id: AGENT_ID,
    name: 'crunch',
    type: 'worker',
    status: 'active',
    capabilities: ['analysis'],
    last_heartbeat: AT,
    current_load: 0.25,
    shared: true,
    ...changes,
  };
}

export function agentDetail(changes: Partial<AgentDetail> = {}): AgentDetail {
  return {
    ...agent(),
    mode: 'push',
    draining: false,
    max_concurrency: 4,
    running_tasks: 1,
    resources: { cpu: 4, memory: '8GB' },
    health: { ok: true, failures: 0, latency_ms: 3, checked_at: AT },
    owner: 'ada',
    registered_at: AT,
    endpoints: { task: 'https://agent.example/task' },
    labels: {},
    credential: null,
    tasks: [],
    ...changes,
  };
}

export function taskItem(changes: Partial<TaskListItem> = {}): TaskListItem {
  return {
    task_id: TASK_ID,
    pipeline_id: null,
    stage: null,
    status: 'completed',
    progress: 1,
    assigned_agent: null,
    started_at: AT,
    updated_at: AT,
    error: null,
    type: 'analysis',
    priority: 'medium',
    owner: 'ada',
    created_at: AT,
    queue_position: null,
    ...changes,
  };
}

export function taskDetail(changes: Partial<TaskDetail> = {}): TaskDetail {
  const self = `/api/v1/tasks/${TASK_ID}`;
  return {
    ...taskItem(),
    run_id: null,
    workflow_id: TASK_ID,
    executor: 'auto',
    capabilities: [],
    agent_id: null,
    payload: {},
    timeout: 300,
    retry_count: 3,
    attempt: 1,
    lost: 0,
    attempts: [],
    queue_length: null,
    waits_for_agent: null,
    result: null,
    queued_at: AT,
    assigned_at: AT,
    completed_at: AT,
    logs: [],
    links: { self, detail: `${self}/detail`, events: '/e', workflow: '/w', ui: 'http://127.0.0.1/temporal' },
    ...changes,
  };
}

export function pipeline(changes: Partial<z.output<typeof PipelineView>> = {}): z.output<typeof PipelineView> {
  const self = `/api/v1/pipelines/${PIPELINE_ID}`;
  return {
    pipeline_id: PIPELINE_ID,
    name: 'daily',
    description: '',
    version: 3,
    owner: 'ada',
    created_at: AT,
    updated_at: AT,
    stages: [
      { name: 'read', type: 'data-ingestion', required: true, config: { source: 's3://bucket/a.csv' } },
      { name: 'write', type: 'output', required: true },
    ],
    dependencies: [{ from: 0, to: 1 }],
    links: { self, execute: `${self}/execute`, runs: `${self}/runs` },
    ...changes,
  };
}

type Stage = z.output<typeof RunStageView>;

export function stage(changes: Partial<Stage> & Pick<Stage, 'stage' | 'name' | 'status'>): Stage {
  return {
    type: 'transformation',
    attempt: 1,
    progress: 0,
    reason: null,
    error: null,
    task_id: null,
    started_at: null,
    ended_at: null,
    seconds: null,
    attempts: [],
    dataset: null,
    artifacts: [],
    summary: null,
    items: null,
    ...changes,
  };
}

export function runView(changes: Partial<RunView> = {}): RunView {
  const self = `/api/v1/pipeline-runs/${RUN_ID}`;
  return {
    run_id: RUN_ID,
    pipeline_id: PIPELINE_ID,
    version: 3,
    workflow_id: `pipeline-${RUN_ID}`,
    owner: 'ada',
    status: 'completed',
    attempt: 1,
    progress: 1,
    current_stage: 1,
    completed_stages: [0, 1],
    error: null,
    created_at: AT,
    started_at: AT,
    completed_at: '2026-03-01T10:00:12.500Z',
    input_data: null,
    parameters: {},
    notification: null,
    stages: [
      stage({ stage: 0, name: 'read', status: 'completed', progress: 1 }),
      stage({ stage: 1, name: 'write', status: 'completed', progress: 1 }),
    ],
    earlier_attempts: [],
    approvals: [],
    links: {
      self,
      pipeline: '/p',
      artifacts: `${self}/artifacts`,
      events: '/e',
      workflow: '/w',
      ui: 'http://127.0.0.1/temporal',
    },
    ...changes,
  };
}

export function approval(changes: Partial<z.output<typeof ApprovalView>> = {}): z.output<typeof ApprovalView> {
  return {
    approval_id: APPROVAL_ID,
    run_id: RUN_ID,
    stage: 1,
    message: 'Is the total right?',
    status: 'pending',
    requested_at: AT,
    deadline: '2026-03-08T10:00:00.000Z',
    decided_by: null,
    decided_at: null,
    comment: null,
    ...changes,
  };
}

export function artifact(changes: Partial<z.output<typeof ArtifactView>> = {}): z.output<typeof ArtifactView> {
  return {
    name: 'write/output.csv',
    stage: 'write',
    media_type: 'text/csv',
    bytes: 3,
    rows: 1,
    // Of `a\n1`.
    sha256: '4f395a2e9ea1c0680348d384135458270e9e6f5af3576151fec246b7b6de98e6',
    links: { download: `/api/v1/pipeline-runs/${RUN_ID}/artifacts/write/output.csv` },
    ...changes,
  };
}
