/** How agents that could do a task compare: how busy each is for its size, and who goes first. */
import { type RawBuilder, sql } from 'kysely';

/** How many tasks each agent has; joins as `busy (agent_id, running)`. */
export const busyAgents = sql`(SELECT assigned_agent AS agent_id, count(*)::int AS running FROM tasks
  WHERE slot AND assigned_agent IS NOT NULL GROUP BY assigned_agent)`;

export type AgentMode = 'push' | 'pull' | 'mcp';

/** `push`, `mcp` or `pull`, by the endpoints that the agent of this alias has. */
export function modeOf(agent: string): RawBuilder<AgentMode> {
  const endpoints = sql.ref(`${agent}.endpoints`);
  return sql<AgentMode>`CASE WHEN ${endpoints} ? 'task' THEN 'push' WHEN ${endpoints} ? 'mcp' THEN 'mcp' ELSE 'pull' END`;
}

/** So much memory is worth a processor, as machines usually have it. */
const BYTES_A_PROCESSOR = 4e9;
/** So many processors a GPU is worth. */
const PROCESSORS_A_GPU = 4;
/** Least size, so that what says it has nothing is compared with nothing. */
const LEAST = 0.01;
/** As registration takes it; see `AgentResourcesShape`. */
const MEMORY = '^\\d{1,12}(\\.\\d{1,6})?\\s?([KMGTP]i?)?B?$';

/**
 * The size of the agent of this alias in processors, by its `resources`: the mean of `cpu` and of `memory` at 4 GB a
 * processor, the one that is told where the other is not, 1 where neither is; and 4 more for each `gpu`.
 */
export function sizeOf(agent: string): RawBuilder<number> {
  const field = (name: string) => sql`(${sql.ref(`${agent}.resources`)} -> ${sql.lit(name)})`;
  const text = (name: string) => sql<string>`(${sql.ref(`${agent}.resources`)} ->> ${sql.lit(name)})`;
  const memory = text('memory');
  const power = sql`coalesce(strpos('KMGTP', upper(substring(${memory} FROM '[KMGTPkmgtp]'))), 0)`;
  const base = sql`CASE WHEN ${memory} ~* '[KMGTP]i' THEN 1024 ELSE 1000 END::double precision`;
  const bytes = sql`substring(${memory} FROM '^[0-9.]+')::double precision * power(${base}, ${power})`;
  const cpus = sql`CASE WHEN jsonb_typeof(${field('cpu')}) = 'number'
    THEN greatest(${text('cpu')}::double precision, ${sql.lit(LEAST)}) END`;
  const memories = sql`CASE WHEN jsonb_typeof(${field('memory')}) = 'string' AND ${memory} ~* ${sql.lit(MEMORY)}
    THEN greatest(${bytes} / ${sql.lit(BYTES_A_PROCESSOR)}, ${sql.lit(LEAST)}) END`;
  const gpus = sql`CASE jsonb_typeof(${field('gpu')}) WHEN 'boolean' THEN ${text('gpu')}::boolean::int
    WHEN 'number' THEN greatest(${text('gpu')}::double precision, 0) ELSE 0 END`;
  return sql<number>`(coalesce((${cpus} + ${memories}) / 2, ${cpus}, ${memories}, 1)
    + ${sql.lit(PROCESSORS_A_GPU)} * ${gpus})`;
}

/**
 * Who goes first, as expressions to order by: active ones before degraded ones, validators first for validation, then
 * the least load for its size, which is the share of its places that are taken and the load it tells, over its size.
 * `running` is how many tasks it has.
 */
export function preference(
  agent: string,
  running: RawBuilder<number>,
  taskType: RawBuilder<string>,
): RawBuilder<unknown> {
  const column = (name: string) => sql.ref(`${agent}.${name}`);
  return sql`${column('status')} = 'degraded', ${taskType} = 'validation' AND ${column('type')} <> 'validator',
    (${running} + ${column('current_load')} * ${column('max_concurrency')})
      / (${column('max_concurrency')} * ${sizeOf(agent)})`;
}

/** Whether the agent of this alias waits for tasks in a claim, at this moment. */
export function isWaiting(agent: string): RawBuilder<boolean> {
  return sql<boolean>`coalesce(${sql.ref(`${agent}.waiting_until`)} > now(), false)`;
}
