/** Names that travel over the wire or into a history. Workflows may import values from here, so nothing here has a dependency. */

export const SOURCES = ['slack', 'gong', 'salesforce', 'looker', 'hubspot'] as const;
export type Source = (typeof SOURCES)[number];

/** What each source may bring: formats on the way in, content types on the way out (seed 000, section 1). */
export const SOURCE_MAPPINGS = {
  slack: {
    parser: 'SlackParser',
    supported_formats: ['json', 'zip'],
    content_types: ['message', 'file', 'user', 'channel'],
  },
  gong: {
    parser: 'GongParser',
    supported_formats: ['json', 'csv'],
    content_types: ['transcript', 'call_metadata', 'insights'],
  },
  salesforce: {
    parser: 'SalesforceParser',
    supported_formats: ['csv', 'json'],
    content_types: ['account', 'contact', 'opportunity', 'lead'],
  },
  looker: {
    parser: 'LookerParser',
    supported_formats: ['json', 'csv', 'pdf'],
    content_types: ['dashboard', 'query_result', 'visualization'],
  },
  hubspot: {
    parser: 'HubSpotParser',
    supported_formats: ['csv', 'json'],
    content_types: ['contact', 'company', 'deal', 'activity'],
  },
} as const satisfies Record<
  Source,
  { parser: string; supported_formats: readonly string[]; content_types: readonly string[] }
>;

export const CONTENT_TYPES = [
  'message',
  'file',
  'user',
  'channel',
  'transcript',
  'call_metadata',
  'insights',
  'account',
  'contact',
  'opportunity',
  'lead',
  'dashboard',
  'query_result',
  'visualization',
  'company',
  'deal',
  'activity',
] as const;
export type ContentType = (typeof CONTENT_TYPES)[number];

export const FILE_STATUSES = ['pending', 'processing', 'paused', 'completed', 'failed', 'cancelled'] as const;
export type FileStatus = (typeof FILE_STATUSES)[number];

/** Phases of an ingestion as seed 000 names them; `idle` only ever stands in the context document. */
export const PHASES = ['upload', 'processing', 'indexing', 'completed'] as const;
export type Phase = (typeof PHASES)[number];

export const ROLES = ['admin', 'operator', 'developer', 'analyst', 'viewer', 'agent'] as const;
export type Role = (typeof ROLES)[number];

/** The vector collection, as seed 000 names it. */
export const VECTOR_COLLECTION = 'DataContent';

export const WORKFLOWS = {
  ingestFile: 'ingestFile',
  deleteFile: 'deleteFile',
  reconcile: 'reconcile',
  sweepStorage: 'sweepStorage',
  catchUpVectors: 'catchUpVectors',
  runTask: 'runTask',
  watchAgents: 'watchAgents',
  runPipeline: 'runPipeline',
  deliverNotification: 'deliverNotification',
} as const;
export type WorkflowType = (typeof WORKFLOWS)[keyof typeof WORKFLOWS];

export const QUEUES = {
  workflows: 'ostinato-workflows',
  files: 'ostinato-files',
  vectors: 'ostinato-vectors',
  maintenance: 'ostinato-maintenance',
  /** Calls to agents and looks after them. */
  agents: 'ostinato-agents',
  /** The built-in stages: data in child processes. */
  stages: 'ostinato-stages',
  /** Operations that pipelines run: short or waiting, never heavy. */
  pipelines: 'ostinato-pipelines',
  /** Steps that do nothing but wait, for as long as a task takes. */
  waits: 'ostinato-waits',
  /** Webhooks and mail: somebody else's servers. */
  notifications: 'ostinato-notifications',
} as const;

/** One parsing queue a source: a slow source never holds up another. */
export function parseQueue(source: Source): string {
  return `ostinato-parse-${source}`;
}

export const MESSAGES = {
  /** Query: `IngestProgress`. */
  progress: 'progress',
  /** Updates and signals of the same name; the update answers with the status it led to. */
  pause: 'pause',
  resume: 'resume',
  /** Update of `runTask`: `TaskReport`, answered with `TaskReportAnswer`. */
  report: 'report',
  /** Signal of `runTask`: it was given a slot and somebody to do it; `{attempt}`. */
  assigned: 'assigned',
  /** Signal of `runTask`: whoever did it is gone; `{attempt}`. */
  agentLost: 'agentLost',
  /** Update of `runPipeline`: `Decision`, answered with `DecisionAnswer`. */
  decide: 'decide',
} as const;

/** Keyword search attributes set on every workflow at its start. */
export const SEARCH_ATTRIBUTES = {
  kind: 'OstinatoKind',
  room: 'OstinatoRoom',
  owner: 'OstinatoOwner',
  source: 'OstinatoSource',
  resource: 'OstinatoResource',
} as const;

export const EVENT_NAMES = [
  'file.uploaded',
  'file.validation.completed',
  'processing.started',
  'processing.progress',
  'processing.completed',
  'query.executed',
  'task.updated',
  'task.error',
  'agent.updated',
  'pipeline.progress',
  'approval.requested',
  'approval.decided',
  'notification.undelivered',
] as const;
export type EventName = (typeof EVENT_NAMES)[number];

export const AGENT_TYPES = ['worker', 'orchestrator', 'validator'] as const;
export type AgentType = (typeof AGENT_TYPES)[number];

export const AGENT_STATUSES = ['active', 'degraded', 'unhealthy', 'offline', 'draining'] as const;
export type AgentStatus = (typeof AGENT_STATUSES)[number];

/** The six types of seed 001, in the order of its pipeline. */
export const TASK_TYPES = [
  'data-ingestion',
  'transformation',
  'analysis',
  'validation',
  'processing',
  'output',
] as const;
export type TaskType = (typeof TASK_TYPES)[number];

export const PRIORITIES = ['high', 'medium', 'low'] as const;
export type Priority = (typeof PRIORITIES)[number];

/** The words of seed 001 and `cancelled`; `pending` covers queued and assigned. */
export const TASK_STATUSES = ['pending', 'running', 'completed', 'failed', 'retrying', 'cancelled'] as const;
export type TaskStatus = (typeof TASK_STATUSES)[number];

export const EXECUTORS = ['auto', 'agent', 'builtin'] as const;
export type Executor = (typeof EXECUTORS)[number];

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** A stage may be of any task's type, or run an operation of the house. */
export const STAGE_TYPES = [...TASK_TYPES, 'operation'] as const;
export type StageType = (typeof STAGE_TYPES)[number];

export const PIPELINE_RUN_STATUSES = ['pending', 'running', 'paused', 'completed', 'failed', 'cancelled'] as const;
export type PipelineRunStatus = (typeof PIPELINE_RUN_STATUSES)[number];

/** `waiting`: for an approval. `compensated`: failed, and its compensating stage ran. */
export const STAGE_STATUSES = [
  'pending',
  'waiting',
  'running',
  'retrying',
  'completed',
  'failed',
  'skipped',
  'compensated',
  'cancelled',
] as const;
export type StageStatus = (typeof STAGE_STATUSES)[number];

/** Events after which a looping workflow continues as new, well under the engine's 51,200. */
export const HISTORY_LIMIT = 1_500;

/** Only the first so many unreadable records are kept by name; the rest are counted. */
export const MAX_KEPT_ERRORS = 100;
