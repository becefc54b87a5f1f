/** Wire contracts of agents: what registering takes, and how an agent is shown. */
import { z } from 'zod';
import { PageQuery } from './files.ts';
import { isStorable } from './json.ts';
import { AGENT_STATUSES, AGENT_TYPES } from './names.ts';

/** For what goes into Postgres as it came. */
const STORABLE = { message: 'must hold neither NUL characters nor lone surrogates' };

export const CapabilityName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$/, 'must be letters, digits and . _ : -, at most 100');

const endpoint = z
  .url({ protocol: /^https?$/, error: 'must be an http or https address' })
  .max(2000)
  .refine(isStorable, STORABLE);

export const AgentEndpointsShape = z.object({
  task: endpoint.exactOptional().describe('takes tasks by POST; without it and mcp the agent claims its tasks itself'),
  status: endpoint.exactOptional().describe('tells how a task goes, by GET with task_id and attempt'),
  health: endpoint.exactOptional().describe('answers 2xx while the agent is well'),
  mcp: endpoint.exactOptional().describe('MCP server (Streamable HTTP); a task is a call of one of its tools'),
});

export const AgentResourcesShape = z
  .object({
    cpu: z.number().min(0.01).max(65_536).optional().describe('processors; weighs its load, as do memory and gpu'),
    memory: z
      .string()
      .regex(/^\d{1,12}(\.\d{1,6})?\s?([KMGTP]i?)?B?$/i, 'must be like 8GB')
      .optional(),
    gpu: z.union([z.boolean(), z.int().min(0).max(1024)]).optional(),
  })
  .catchall(z.union([z.string().max(200), z.number(), z.boolean()]))
  .refine((value) => Object.keys(value).length <= 32, { message: 'must have at most 32 fields' })
  .refine(isStorable, STORABLE);

const LabelsShape = z
  .record(z.string().min(1).max(100), z.string().max(500))
  .refine((value) => Object.keys(value).length <= 64, { message: 'must be at most 64' })
  .refine(isStorable, STORABLE);

export const AgentRegistration = z.object({
  name: z.string().trim().min(1).max(100).refine(isStorable, STORABLE).describe('unique among all agents'),
  type: z.enum(AGENT_TYPES).default('worker'),
  capabilities: z
    .array(CapabilityName)
    .max(100)
    .default([])
    .transform((names) => [...new Set(names)])
    .describe('task-execution stands for every type of task'),
  endpoints: AgentEndpointsShape.default({}),
  resources: AgentResourcesShape.default({}),
  max_concurrency: z.int().min(1).max(1000).default(1).describe('tasks that it takes at once'),
  labels: LabelsShape.default({}),
  shared: z
    .boolean()
    .optional()
    .describe(
      "does everybody's tasks, not yours alone; needs agents:share, and is the default of those who have it. Stays as it is when you register again without it",
    ),
  credential: z
    .string()
    .min(1)
    .max(200)
    .refine(isStorable, STORABLE)
    .optional()
    .describe('name of your outgoing credential that calls to the agent carry'),
});
export type AgentRegistration = z.output<typeof AgentRegistration>;

export const AgentRegistered = z.object({
  agent_id: z.uuid(),
  token: z
    .string()
    .nullable()
    .describe("the agent's own, shown this once; null when it registered with the one it has"),
  heartbeat_interval_seconds: z.int(),
  created: z.boolean().describe('false: an agent of this name was there and is updated'),
});

/** As seed 001 shows an agent in its list. */
export const AgentView = z.object({
  id: z.uuid(),
  name: z.string(),
  type: z.enum(AGENT_TYPES),
  status: z.enum(AGENT_STATUSES),
  capabilities: z.array(z.string()),
  last_heartbeat: z.iso.datetime(),
  current_load: z.number(),
  shared: z.boolean().describe("does everybody's tasks, not its owner's alone"),
});
export type AgentView = z.output<typeof AgentView>;

export const AgentList = z.object({
  agents: z.array(AgentView),
  next_cursor: z.string().nullable(),
  truncated: z.boolean(),
});

export const AgentListQuery = z.object({
  status: z.enum(AGENT_STATUSES).optional(),
  type: z.enum(AGENT_TYPES).optional(),
  capability: CapabilityName.optional(),
  ...PageQuery,
});

export const AgentDetail = AgentView.extend({
  mode: z.enum(['push', 'pull', 'mcp']),
  draining: z.boolean(),
  max_concurrency: z.int(),
  running_tasks: z.int(),
  resources: z.record(z.string(), z.json()),
  health: z
    .object({ ok: z.boolean(), failures: z.int(), latency_ms: z.number().nullable(), checked_at: z.iso.datetime() })
    .nullable(),
  owner: z.string(),
  registered_at: z.iso.datetime(),
  endpoints: AgentEndpointsShape.nullable().describe('null for callers who may not change the agent, as are the next'),
  labels: z.record(z.string(), z.string()).nullable(),
  credential: z.string().nullable(),
  tasks: z
    .array(
      z.object({ task_id: z.string(), type: z.string(), attempt: z.int(), assigned_at: z.iso.datetime().nullable() }),
    )
    .nullable(),
});
export type AgentDetail = z.output<typeof AgentDetail>;

export const AgentRef = z.object({ agent_id: z.uuid().describe('id of the agent') });

export const Heartbeat = AgentRef.extend({
  current_load: z.number().min(0).max(1).describe('0 idle, 1 full'),
  resources: AgentResourcesShape.optional().describe('replaces what was said before, field by field'),
});

/** What an agent learns from its heartbeat. */
export const HeartbeatAnswer = z.object({
  agent_id: z.uuid(),
  status: z.enum(AGENT_STATUSES),
  draining: z.boolean().describe('true: it gets no new tasks and may end once its tasks have'),
  heartbeat_interval_seconds: z.int(),
});
