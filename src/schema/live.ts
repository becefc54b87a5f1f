/** What goes over a live connection: the data of the four events that stand at the top level, and the messages of both sides. */
import { z } from 'zod';
import { AGENT_STATUSES, EVENT_NAMES, type EventName, TASK_STATUSES } from './names.ts';

/** RFC 3339 in UTC: `new Date().toISOString()`. */
const timestamp = z.iso.datetime();
const share = z.number().min(0).max(1);

/** `data` of `task.updated`, on resource `task:<task_id>`. */
export const TaskUpdateData = z.strictObject({
  task_id: z.string().min(1),
  status: z.enum(TASK_STATUSES),
  /** 0 to 1. */
  progress: share,
  timestamp,
});
export type TaskUpdateData = z.output<typeof TaskUpdateData>;

/** `data` of `agent.updated`, on resource `agent:<agent_id>`. */
export const AgentUpdateData = z.strictObject({
  agent_id: z.string().min(1),
  status: z.enum(AGENT_STATUSES),
  /** 0 idle, 1 full; more when it says so itself. */
  current_load: z.number().min(0),
  timestamp,
});
export type AgentUpdateData = z.output<typeof AgentUpdateData>;

/** `data` of `pipeline.progress`, on resource `run:<run_id>`. */
export const PipelineProgressData = z.strictObject({
  pipeline_id: z.string().min(1),
  run_id: z.string().min(1),
  /** Index of the first stage that runs or is next; the last stage's when all are over. */
  current_stage: z.int().min(0),
  /** Indexes in ascending order. */
  completed_stages: z.array(z.int().min(0)),
  /** 0 to 1. */
  progress: share,
  timestamp,
});
export type PipelineProgressData = z.output<typeof PipelineProgressData>;

/** `data` of `task.error`, on resource `task:<task_id>`. */
export const TaskErrorData = z.strictObject({
  task_id: z.string().min(1),
  /** One sentence for people: `Task execution failed`. */
  error: z.string(),
  details: z.strictObject({ code: z.string(), message: z.string() }),
  timestamp,
});
export type TaskErrorData = z.output<typeof TaskErrorData>;

/** Events whose data stands in the frame itself, under this `type`; all others travel as `{type: 'event', name, seq, data}`. */
export const LIVE_TYPES = {
  'task.updated': 'task_update',
  'agent.updated': 'agent_update',
  'pipeline.progress': 'pipeline_progress',
  'task.error': 'error',
} as const satisfies Partial<Record<EventName, string>>;
export type LiveType = (typeof LIVE_TYPES)[keyof typeof LIVE_TYPES] | 'event';

/** What of each such event's data goes over the wire. In the log those of a run's tasks have `run_id` and `pipeline_id` besides. */
export const LIVE_DATA = {
  'task.updated': TaskUpdateData,
  'agent.updated': AgentUpdateData,
  'pipeline.progress': PipelineProgressData,
  'task.error': TaskErrorData,
} as const;

/** Events that tell of a run, by `run_id` and `pipeline_id` in their data: who may see the run may see them. */
export const RUN_EVENTS = [
  'pipeline.progress',
  'approval.requested',
  'approval.decided',
  'notification.undelivered',
  'task.updated',
  'task.error',
] as const satisfies EventName[];

/** What an event is about, as `event_log.resource` and grants name it. */
export const eventResource = {
  task: (id: string) => `task:${id}`,
  agent: (id: string) => `agent:${id}`,
  run: (id: string) => `run:${id}`,
  file: (id: string) => `file:${id}`,
} as const;

/** A position in the event log, as every event carries it; `0` is before the oldest. */
export const EventSeq = z
  .string()
  .regex(/^(0|\d{1,20}-\d{1,19})$/, 'must be the seq of an event, or 0 for the beginning');

const id = z.string().min(1).max(200);

/** Which events a reader wants; fields are joined by and, absent fields let everything through. */
export const LiveFilters = z.strictObject({
  types: z
    .array(z.enum([...Object.values(LIVE_TYPES), 'event']))
    .max(10)
    .optional(),
  names: z.array(z.enum(EVENT_NAMES)).max(EVENT_NAMES.length).optional(),
  task_id: id.optional(),
  agent_id: id.optional(),
  pipeline_id: id.optional(),
  run_id: id.optional(),
  file_id: id.optional(),
});
export type LiveFilters = z.output<typeof LiveFilters>;

const subscriptionId = z.string().min(1).max(100);

/** Everything a client may send. */
export const ClientMessage = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('auth'), token: z.string().min(1).max(8192) }),
  /** Another one of the same `id` replaces the first. */
  z.strictObject({
    type: z.literal('subscribe'),
    id: subscriptionId.default('default'),
    filters: LiveFilters.default({}),
  }),
  z.strictObject({ type: z.literal('unsubscribe'), id: subscriptionId.default('default') }),
  z.strictObject({ type: z.literal('resume'), seq: EventSeq }),
  z.strictObject({ type: z.literal('ping') }),
]);
export type ClientMessage = z.output<typeof ClientMessage>;

/** Codes with which the server closes a connection, beside the protocol's own. */
export const CLOSE_CODES = {
  /** Draining: come back to the next process. */
  goingAway: 1001,
  /** Too many messages that could not be read, or too many at once. A message over the size limit ends with 1009. */
  malformed: 4400,
  /** No valid credential in time, or one that ended. */
  unauthenticated: 4401,
  /** The role may not read events. */
  forbidden: 4403,
  /** No answer to the server's pings. */
  silent: 4408,
  /** Too slow: events were not taken for too long. */
  slow: 4008,
  /** Too many connections of one caller, or too many failed authentications. */
  tooMany: 4429,
  /** An error of the server's own; come back. */
  internal: 1011,
} as const;
export type CloseCode = (typeof CLOSE_CODES)[keyof typeof CLOSE_CODES];
