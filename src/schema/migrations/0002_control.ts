/** Tables of the control panel: agents, tasks, pipelines, approvals, notifications. */
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<never>): Promise<void> {
  await sql`
    CREATE TABLE agents (
      agent_id text PRIMARY KEY,
      owner text NOT NULL,
      name text NOT NULL,
      type text NOT NULL,
      capabilities text[] NOT NULL,
      endpoints jsonb NOT NULL DEFAULT '{}',
      resources jsonb NOT NULL DEFAULT '{}',
      labels jsonb NOT NULL DEFAULT '{}',
      credential text,
      max_concurrency int NOT NULL DEFAULT 1,
      status text NOT NULL DEFAULT 'active',
      draining boolean NOT NULL DEFAULT false,
      current_load double precision NOT NULL DEFAULT 0,
      last_heartbeat timestamptz NOT NULL DEFAULT now(),
      health jsonb,
      registered_at timestamptz NOT NULL DEFAULT now(),
      updated_at timestamptz NOT NULL DEFAULT now(),
      deleted_at timestamptz
    );
    CREATE UNIQUE INDEX agents_name ON agents (name) WHERE deleted_at IS NULL;
    CREATE INDEX agents_list ON agents (registered_at DESC, agent_id DESC) WHERE deleted_at IS NULL;

    CREATE TABLE tasks (
      task_id text PRIMARY KEY,
      owner text NOT NULL,
      pipeline_id text,
      run_id text,
      stage int,
      type text NOT NULL,
      -- json, here and below where order may carry sense: jsonb sorts the keys of what a caller wrote.
      payload json NOT NULL DEFAULT '{}',
      priority smallint NOT NULL,
      timeout_seconds int NOT NULL,
      retry_count int NOT NULL,
      executor text NOT NULL DEFAULT 'auto',
      capabilities text[] NOT NULL DEFAULT '{}',
      workflow_id text NOT NULL UNIQUE,
      status text NOT NULL DEFAULT 'pending',
      -- Where the current attempt stands: queued, assigned, running, backoff, closed.
      phase text NOT NULL DEFAULT 'queued',
      -- Whether it counts against MAX_CONCURRENT_TASKS: true from assignment to the end of the attempt.
      slot boolean NOT NULL DEFAULT false,
      attempt int NOT NULL DEFAULT 1,
      -- Attempts that ended because an agent went away; they do not count as retries.
      lost int NOT NULL DEFAULT 0,
      assigned_agent text,
      excluded_agents text[] NOT NULL DEFAULT '{}',
      lease_until timestamptz,
      progress real NOT NULL DEFAULT 0,
      result jsonb,
      error jsonb,
      created_at timestamptz NOT NULL DEFAULT now(),
      queued_at timestamptz NOT NULL DEFAULT now(),
      assigned_at timestamptz,
      started_at timestamptz,
      completed_at timestamptz,
      updated_at timestamptz NOT NULL DEFAULT now(),
      CHECK (NOT slot OR phase IN ('assigned', 'running'))
    );
    CREATE INDEX tasks_queue ON tasks (priority, queued_at, task_id) WHERE phase = 'queued';
    CREATE INDEX tasks_slots ON tasks (owner, assigned_agent) WHERE slot;
    CREATE INDEX tasks_list ON tasks (created_at DESC, task_id DESC);
    CREATE INDEX tasks_owner ON tasks (owner, created_at DESC, task_id DESC);
    CREATE INDEX tasks_run ON tasks (run_id) WHERE run_id IS NOT NULL;

    CREATE TABLE task_attempts (
      task_id text NOT NULL REFERENCES tasks ON DELETE CASCADE,
      attempt int NOT NULL,
      executor text NOT NULL,
      agent_id text,
      status text NOT NULL,
      completion_id uuid,
      error jsonb,
      started_at timestamptz NOT NULL DEFAULT now(),
      ended_at timestamptz,
      PRIMARY KEY (task_id, attempt)
    );

    -- What was reported; the task's row names the one that counts.
    CREATE TABLE task_results (
      completion_id uuid PRIMARY KEY,
      task_id text NOT NULL REFERENCES tasks ON DELETE CASCADE,
      attempt int NOT NULL,
      result jsonb NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE INDEX task_results_task ON task_results (task_id);

    CREATE TABLE task_logs (
      log_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      task_id text NOT NULL REFERENCES tasks ON DELETE CASCADE,
      attempt int NOT NULL,
      at timestamptz NOT NULL DEFAULT now(),
      level text NOT NULL,
      message text NOT NULL
    );
    CREATE INDEX task_logs_task ON task_logs (task_id, log_id);

    CREATE TABLE pipelines (
      pipeline_id text PRIMARY KEY,
      owner text NOT NULL,
      name text NOT NULL,
      description text NOT NULL DEFAULT '',
      version int NOT NULL DEFAULT 1,
      created_at timestamptz NOT NULL DEFAULT now(),
      updated_at timestamptz NOT NULL DEFAULT now(),
      deleted_at timestamptz
    );
    CREATE INDEX pipelines_list ON pipelines (created_at DESC, pipeline_id DESC) WHERE deleted_at IS NULL;
    CREATE INDEX pipelines_owner ON pipelines (owner, created_at DESC, pipeline_id DESC) WHERE deleted_at IS NULL;

    CREATE TABLE pipeline_versions (
      pipeline_id text NOT NULL REFERENCES pipelines ON DELETE CASCADE,
      version int NOT NULL,
      definition json NOT NULL,
      created_by text NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (pipeline_id, version)
    );

    CREATE TABLE pipeline_runs (
      run_id text PRIMARY KEY,
      pipeline_id text NOT NULL,
      version int NOT NULL,
      owner text NOT NULL,
      -- Whose permissions its operations run with: {id, name, role, grants}.
      principal jsonb NOT NULL,
      workflow_id text NOT NULL UNIQUE,
      -- Grows with each retry by hand; fences what an earlier one still does.
      attempt int NOT NULL DEFAULT 1,
      status text NOT NULL DEFAULT 'pending',
      input_data json,
      parameters json NOT NULL DEFAULT '{}',
      notification jsonb,
      progress real NOT NULL DEFAULT 0,
      current_stage int NOT NULL DEFAULT 0,
      completed_stages int[] NOT NULL DEFAULT '{}',
      error jsonb,
      created_at timestamptz NOT NULL DEFAULT now(),
      started_at timestamptz,
      completed_at timestamptz,
      updated_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE INDEX pipeline_runs_pipeline ON pipeline_runs (pipeline_id, created_at DESC, run_id DESC);
    CREATE INDEX pipeline_runs_owner ON pipeline_runs (owner, created_at DESC, run_id DESC);

    CREATE TABLE pipeline_stages (
      run_id text NOT NULL REFERENCES pipeline_runs ON DELETE CASCADE,
      stage int NOT NULL,
      -- -1: the stage itself; 0 and up: one item of its for_each.
      item int NOT NULL DEFAULT -1,
      name text NOT NULL,
      type text NOT NULL,
      status text NOT NULL DEFAULT 'pending',
      attempt int NOT NULL DEFAULT 0,
      progress real NOT NULL DEFAULT 0,
      reason text,
      output jsonb,
      error jsonb,
      task_id text,
      started_at timestamptz,
      ended_at timestamptz,
      PRIMARY KEY (run_id, stage, item)
    );

    CREATE TABLE approvals (
      approval_id text PRIMARY KEY,
      run_id text NOT NULL REFERENCES pipeline_runs ON DELETE CASCADE,
      stage int NOT NULL,
      owner text NOT NULL,
      message text NOT NULL DEFAULT '',
      status text NOT NULL DEFAULT 'pending',
      requested_at timestamptz NOT NULL DEFAULT now(),
      deadline timestamptz NOT NULL,
      decided_by text,
      decided_at timestamptz,
      comment text
    );
    CREATE INDEX approvals_run ON approvals (run_id, stage);
    CREATE INDEX approvals_open ON approvals (owner, requested_at) WHERE status = 'pending';

    CREATE TABLE notifications (
      notification_id text PRIMARY KEY,
      owner text NOT NULL,
      kind text NOT NULL,
      target text NOT NULL,
      credential text,
      event text NOT NULL,
      body jsonb NOT NULL,
      run_id text,
      workflow_id text NOT NULL UNIQUE,
      status text NOT NULL DEFAULT 'pending',
      attempts int NOT NULL DEFAULT 0,
      last_error text,
      created_at timestamptz NOT NULL DEFAULT now(),
      delivered_at timestamptz,
      next_attempt_at timestamptz
    );
    CREATE INDEX notifications_owner ON notifications (owner, created_at DESC, notification_id DESC);
  `.execute(db);
}
