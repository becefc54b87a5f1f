/** Row types of the control panel: agents, tasks, pipelines, approvals, notifications. */
import type { Generated, GeneratedAlways } from 'kysely';
import type { JsonObject } from './json.ts';
import type {
  AgentStatus,
  AgentType,
  Executor,
  LogLevel,
  PipelineRunStatus,
  StageStatus,
  StageType,
  TaskStatus,
  TaskType,
} from './names.ts';
import type { Principal } from './principal.ts';
import type { StageOutput } from './stages/contract.ts';
import type { FailureRecord, Jsonb, JsonbWithDefault } from './tables.ts';

type Created = Generated<Date>;

/** Addresses of an agent, each optional: without `task` and `mcp` it pulls its work. */
export type AgentEndpoints = { task?: string; status?: string; health?: string; mcp?: string };

/** What the last looks at `endpoints.health` said. */
export type AgentHealth = { ok: boolean; failures: number; latency_ms: number | null; checked_at: string };

export type TaskPhase = 'queued' | 'assigned' | 'running' | 'backoff' | 'closed';

/** The caller for whom a pipeline runs operations; `depth` counts the pipelines that started one another above it. */
export type RunPrincipal = Pick<Principal, 'id' | 'name' | 'role' | 'grants' | 'keyId'> & { depth: number };

export interface ControlTables {
  agents: {
    agent_id: string;
    owner: string;
    name: string;
    type: AgentType;
    capabilities: string[];
    endpoints: JsonbWithDefault<AgentEndpoints>;
    resources: JsonbWithDefault<JsonObject>;
    labels: JsonbWithDefault<Record<string, string>>;
    /** Name of the owner's outgoing credential that calls to it carry. */
    credential: string | null;
    max_concurrency: Generated<number>;
    /** Whether it does everybody's tasks, and not its owner's alone. */
    shared: Generated<boolean>;
    status: Generated<AgentStatus>;
    draining: Generated<boolean>;
    current_load: Generated<number>;
    last_heartbeat: Created;
    beats: Generated<boolean>;
    health: JsonbWithDefault<AgentHealth | null>;
    answered_at: Date | null;
    told_load: Generated<number>;
    told_at: Created;
    /** While a claim of it waits, and for so many tasks. */
    waiting_until: Date | null;
    waiting_for: Generated<number>;
    /** When it was seen to be gone; null while its status is not offline. */
    offline_since: Date | null;
    registered_at: Created;
    updated_at: Created;
    deleted_at: Date | null;
  };
  tasks: {
    task_id: string;
    owner: string;
    pipeline_id: string | null;
    run_id: string | null;
    stage: number | null;
    type: TaskType;
    payload: Jsonb<JsonObject>;
    /** 0 high, 1 medium, 2 low. */
    priority: number;
    timeout_seconds: number;
    retry_count: number;
    executor: Generated<Executor>;
    capabilities: Generated<string[]>;
    workflow_id: string;
    status: Generated<TaskStatus>;
    phase: Generated<TaskPhase>;
    slot: Generated<boolean>;
    attempt: Generated<number>;
    lost: Generated<number>;
    assigned_agent: string | null;
    excluded_agents: Generated<string[]>;
    /** The one agent that its submitter named. */
    wanted_agent: string | null;
    /** The built-in executor cannot do it. */
    needs_agent: Generated<boolean>;
    /** Since when it waits while no agent at work could do it. */
    stranded_at: Date | null;
    /** Equal for tasks that the same agents can do. */
    lane: GeneratedAlways<string>;
    retries: Generated<number>;
    lease_until: Date | null;
    progress: Generated<number>;
    result: JsonbWithDefault<JsonObject | null>;
    error: JsonbWithDefault<FailureRecord | null>;
    created_at: Created;
    queued_at: Created;
    assigned_at: Date | null;
    started_at: Date | null;
    completed_at: Date | null;
    updated_at: Created;
  };
  task_attempts: {
    task_id: string;
    attempt: number;
    /** `builtin`, `push`, `pull` or `mcp`. */
    executor: string;
    agent_id: string | null;
    status: 'running' | 'completed' | 'failed' | 'lost' | 'timed_out' | 'cancelled';
    completion_id: string | null;
    claim_id: string | null;
    error: JsonbWithDefault<FailureRecord | null>;
    started_at: Created;
    ended_at: Date | null;
  };
  task_results: {
    completion_id: string;
    task_id: string;
    attempt: number;
    result: Jsonb<JsonObject>;
    created_at: Created;
  };
  task_logs: {
    log_id: GeneratedAlways<string>;
    task_id: string;
    attempt: number;
    at: Created;
    level: LogLevel;
    message: string;
  };
  pipelines: {
    pipeline_id: string;
    owner: string;
    name: string;
    description: Generated<string>;
    version: Generated<number>;
    created_at: Created;
    updated_at: Created;
    deleted_at: Date | null;
  };
  pipeline_versions: {
    pipeline_id: string;
    version: number;
    definition: Jsonb<JsonObject>;
    created_by: string;
    created_at: Created;
  };
  pipeline_runs: {
    run_id: string;
    pipeline_id: string;
    version: number;
    owner: string;
    principal: Jsonb<RunPrincipal>;
    workflow_id: string;
    attempt: Generated<number>;
    status: Generated<PipelineRunStatus>;
    input_data: JsonbWithDefault<JsonObject | null>;
    parameters: JsonbWithDefault<JsonObject>;
    notification: JsonbWithDefault<JsonObject | null>;
    progress: Generated<number>;
    current_stage: Generated<number>;
    completed_stages: Generated<number[]>;
    error: JsonbWithDefault<FailureRecord | null>;
    created_at: Created;
    started_at: Date | null;
    completed_at: Date | null;
    updated_at: Created;
  };
  pipeline_stages: {
    run_id: string;
    stage: number;
    item: Generated<number>;
    name: string;
    type: StageType;
    status: Generated<StageStatus>;
    attempt: Generated<number>;
    progress: Generated<number>;
    /** Why it was skipped, waits or went on after a failure. */
    reason: string | null;
    output: JsonbWithDefault<StageOutput | null>;
    error: JsonbWithDefault<FailureRecord | null>;
    task_id: string | null;
    started_at: Date | null;
    ended_at: Date | null;
  };
  /** Tries of stages and items; those of earlier attempts of the run stay. */
  pipeline_tries: {
    run_id: string;
    stage: number;
    item: number;
    /** Of the run. */
    run_attempt: number;
    try: number;
    status: Generated<'running' | 'completed' | 'failed' | 'cancelled'>;
    error: JsonbWithDefault<FailureRecord | null>;
    put_off: Generated<number>;
    started_at: Created;
    ended_at: Date | null;
  };
  approvals: {
    approval_id: string;
    run_id: string;
    stage: number;
    owner: string;
    message: Generated<string>;
    status: Generated<'pending' | 'approved' | 'rejected' | 'expired' | 'cancelled'>;
    requested_at: Created;
    deadline: Date;
    decided_by: string | null;
    decided_at: Date | null;
    comment: string | null;
  };
  notifications: {
    notification_id: string;
    owner: string;
    kind: 'webhook' | 'email';
    target: string;
    credential: string | null;
    event: string;
    body: Jsonb<JsonObject>;
    run_id: string | null;
    workflow_id: string;
    status: Generated<'pending' | 'delivered' | 'undelivered' | 'cancelled'>;
    attempts: Generated<number>;
    last_error: string | null;
    created_at: Created;
    delivered_at: Date | null;
    next_attempt_at: Date | null;
  };
}
