/** Which agent does a task: who can, who has room, and who is the least busy. */
import { type RawBuilder, sql } from 'kysely';
import type { AgentStatus, TaskType } from '../schema/names.ts';
import type { AgentEndpoints } from '../schema/tables-control.ts';
import { type AgentMode, busyAgents, isWaiting, modeOf, preference } from './agent-load.ts';
import { type Db, prepared, type Trx } from './database.ts';

export interface AgentNeed {
  /** Whose task it is: its own agents do it, and shared ones. */
  owner: string;
  /** The one agent that may do it, whatever it says it can; null: any that fits. */
  wanted: string | null;
  /** All of them must be had; when there are none, the task's type says what is needed. */
  capabilities: string[];
  type: TaskType;
  /** Agents that tried before: taken again only when nobody else could ever do it. */
  exclude: string[];
}

export interface AgentChoice {
  agent_id: string;
  owner: string;
  name: string;
  mode: AgentMode;
  endpoints: AgentEndpoints;
  /** Name of the owner's credential that calls to it carry. */
  credential: string | null;
  max_concurrency: number;
  /** Tasks it could take besides the ones it has. */
  free: number;
}

/** A capability that stands for every type of task. */
const ANY_TYPE = 'task-execution';

/** By which capabilities an agent can do a task that names none: its type, and the words of seed 001 for it. */
export const TYPE_CAPABILITIES: Record<TaskType, readonly string[]> = {
  'data-ingestion': ['data-ingestion', 'ingestion'],
  transformation: ['transformation', 'data-transformation'],
  analysis: ['analysis', 'data-analysis'],
  validation: ['validation', 'data-validation'],
  processing: ['processing', 'data-processing'],
  output: ['output', 'output-generation'],
};

/** Statuses in which an agent is given work. */
const AT_WORK = ['active', 'degraded'] as const satisfies readonly AgentStatus[];

/** What the fragments below ask of a task: columns of a joined table, or values. */
export interface NeedSql {
  owner: RawBuilder<string>;
  wanted: RawBuilder<string | null>;
  capabilities: RawBuilder<string[]>;
  type: RawBuilder<string>;
  exclude: RawBuilder<string[]>;
}

/** The need of a task's own row, under the name that it has in the query. */
export function needOfTask(alias: string): NeedSql {
  const column = <T>(name: string) => sql<T>`${sql.ref(`${alias}.${name}`)}`;
  return {
    owner: column('owner'),
    wanted: column('wanted_agent'),
    capabilities: column('capabilities'),
    type: column('type'),
    exclude: column('excluded_agents'),
  };
}

function needOf(need: AgentNeed): NeedSql {
  return {
    owner: sql`${need.owner}::text`,
    wanted: sql`${need.wanted}::text`,
    capabilities: sql`${need.capabilities}::text[]`,
    type: sql`${need.type}::text`,
    exclude: sql`${need.exclude}::text[]`,
  };
}

const textArray = (words: readonly string[]) => sql`ARRAY[${sql.join(words.map((word) => sql.lit(word)))}]::text[]`;

function wordsOf(type: RawBuilder<string>, more: readonly string[] = []): RawBuilder<string[]> {
  const cases = Object.entries(TYPE_CAPABILITIES).map(
    ([name, words]) => sql`WHEN ${sql.lit(name)} THEN ${textArray([...words, ...more])}`,
  );
  return sql<string[]>`CASE ${type} ${sql.join(cases, sql` `)} ELSE '{}'::text[] END`;
}

/**
 * Whether the agent of this alias may be given the task, and has what it asks for. Whoever named an agent was asked then
 * whether it may be used: a task that names one asks for nothing else.
 */
export function canDo(agent: string, need: NeedSql): RawBuilder<boolean> {
  const column = (name: string) => sql.ref(`${agent}.${name}`);
  return sql<boolean>`CASE WHEN ${need.wanted} IS NOT NULL THEN ${column('agent_id')} = ${need.wanted}
    ELSE (${column('shared')} OR ${column('owner')} = ${need.owner}) AND ${isCapable(agent, need)} END`;
}

/**
 * Whether the agent of this alias has what the need asks for. A validator has validation by its type and does nothing
 * else that it does not name; an orchestrator has orchestration by its type and does only what asks for that.
 */
function isCapable(agent: string, need: NeedSql): RawBuilder<boolean> {
  const has = sql.ref(`${agent}.capabilities`);
  const type = sql.ref(`${agent}.type`);
  const orchestration = textArray(['orchestration']);
  return sql<boolean>`CASE
    WHEN cardinality(${need.capabilities}) > 0 THEN
      (${type} <> 'orchestrator' OR ${need.capabilities} @> ${orchestration})
      AND ${has} || CASE ${type} WHEN 'orchestrator' THEN ${orchestration}
        WHEN 'validator' THEN ${textArray(TYPE_CAPABILITIES.validation)} ELSE '{}'::text[] END @> ${need.capabilities}
    WHEN ${type} = 'orchestrator' THEN false
    WHEN ${type} = 'validator' THEN ${need.type} = 'validation' OR ${has} && (${wordsOf(need.type)})
    ELSE ${has} && (${wordsOf(need.type, [ANY_TYPE])}) END`;
}

/** Whether the agent of this alias is there and takes work. */
function isAtWork(agent: string): RawBuilder<boolean> {
  const column = (name: string) => sql.ref(`${agent}.${name}`);
  return sql<boolean>`(${column('deleted_at')} IS NULL AND NOT ${column('draining')}
    AND ${column('status')} IN (${sql.join(AT_WORK.map((status) => sql.lit(status)))}))`;
}

/** Whether somebody else could do it, or the agent of this alias did not try before. */
function isFresh(agent: string, need: NeedSql): RawBuilder<boolean> {
  return sql<boolean>`(${sql.ref(`${agent}.agent_id`)} <> ALL(${need.exclude}) OR NOT EXISTS (
    SELECT FROM agents AS others WHERE others.agent_id <> ALL(${need.exclude})
      AND ${isAtWork('others')} AND ${canDo('others', need)}))`;
}

/**
 * Whether the agent of this alias may do the task: open to its owner, capable, at work, and not one of those that tried
 * before, unless nobody else could. It says nothing about room. For a claim: join `agents` to `tasks` on it with `needOfTask('tasks')`.
 */
export function mayDoTask(agent: string, need: NeedSql): RawBuilder<boolean> {
  return sql<boolean>`(${isAtWork(agent)} AND ${canDo(agent, need)} AND ${isFresh(agent, need)})`;
}

/**
 * The agent to hand a task to, or null when none has room; see `preference` for who goes first, ties fall by chance. One
 * that pulls is there while a claim of it waits, for as many tasks as that takes without those that it was `offered`
 * already. Two callers at once may choose the same last place: hold the lock of admissions.
 */
export async function chooseAgent(
  trx: Trx | Db,
  need: AgentNeed,
  offered: ReadonlyMap<string, number> = new Map(),
): Promise<AgentChoice | null> {
  const wanted = needOf(need);
  const running = sql<number>`coalesce(busy.running, 0)`;
  const found = await sql<AgentChoice>`${prepared}
    SELECT a.agent_id, a.owner, a.name, ${modeOf('a')} AS mode, a.endpoints, a.credential, a.max_concurrency,
      a.max_concurrency - ${running} AS free
    FROM agents AS a LEFT JOIN ${busyAgents} AS busy ON busy.agent_id = a.agent_id
    WHERE ${running} < a.max_concurrency AND ${mayDoTask('a', wanted)}
      AND (${modeOf('a')} <> 'pull' OR (${isWaiting('a')} AND least(a.waiting_for, a.max_concurrency - ${running})
        > coalesce((${JSON.stringify(Object.fromEntries(offered))}::jsonb ->> a.agent_id)::int, 0)))
    ORDER BY ${preference('a', running, wanted.type)}, random()
    LIMIT 1`.execute(trx);
  return found.rows[0] ?? null;
}

/**
 * Agents that wait for tasks in a claim and go before this one, with how many tasks each could take: for each of the
 * tasks in `own`, which this agent may do, those that are preferred to it; for each of `foreign`, all that may do it.
 * Of one task the best comes first.
 */
export async function waitingBefore(
  trx: Trx,
  agentId: string,
  { own, foreign }: { own: string[]; foreign: string[] },
): Promise<{ task_id: string; agent_id: string; room: number }[]> {
  const need = needOfTask('t');
  const runningOf = (busy: string) => sql<number>`coalesce(${sql.ref(`${busy}.running`)}, 0)`;
  const theirs = preference('a', runningOf('theirs'), need.type);
  const { rows } = await sql<{ task_id: string; agent_id: string; room: number }>`
    WITH busy AS MATERIALIZED (SELECT * FROM ${busyAgents} AS b)
    SELECT t.task_id, a.agent_id, least(a.waiting_for, a.max_concurrency - ${runningOf('theirs')}) AS room
    FROM tasks AS t JOIN agents AS me ON me.agent_id = ${agentId} LEFT JOIN busy AS mine ON mine.agent_id = me.agent_id
    JOIN agents AS a ON a.agent_id <> me.agent_id LEFT JOIN busy AS theirs ON theirs.agent_id = a.agent_id
    WHERE t.task_id = ANY(${[...own, ...foreign]}::text[]) AND ${modeOf('a')} = 'pull' AND ${isWaiting('a')}
      AND ${runningOf('theirs')} < a.max_concurrency AND ${mayDoTask('a', need)}
      AND (t.task_id = ANY(${foreign}::text[])
        OR ROW(${theirs}) < ROW(${preference('me', runningOf('mine'), need.type)}))
    ORDER BY ${theirs}
  `.execute(trx);
  return rows;
}

/** Whether any agent at work, busy or not, of whatever mode, could do it. */
export async function fits(trx: Trx | Db, need: Omit<AgentNeed, 'exclude'>): Promise<boolean> {
  const wanted = needOf({ ...need, exclude: [] });
  const found = await sql<{ fits: boolean }>`${prepared}SELECT ${anyAtWork(wanted)} AS fits`.execute(trx);
  return found.rows[0]?.fits ?? false;
}

/** Whether any agent that could do it is registered, at work or away, or one that is gone has tried. */
export async function awaits(trx: Trx | Db, need: AgentNeed): Promise<boolean> {
  const found = await sql<{ awaits: boolean }>`SELECT ${anyToWaitFor(needOf(need))} AS awaits`.execute(trx);
  return found.rows[0]?.awaits ?? false;
}

/** Whether any agent at work, busy or not, could do the task that has neither tried it before nor has it now. */
export async function othersCould(trx: Trx, taskId: string): Promise<boolean> {
  const found = await sql<{ could: boolean }>`
    SELECT EXISTS (SELECT FROM tasks AS t JOIN agents AS able ON able.agent_id <> ALL(t.excluded_agents)
      AND able.agent_id IS DISTINCT FROM t.assigned_agent AND ${isAtWork('able')} AND ${canDo('able', needOfTask('t'))}
      WHERE t.task_id = ${taskId}) AS could`.execute(trx);
  return found.rows[0]?.could ?? false;
}

/** The same as `fits`, within a query. */
export function anyAtWork(need: NeedSql): RawBuilder<boolean> {
  return sql<boolean>`EXISTS (SELECT FROM agents AS able WHERE ${isAtWork('able')} AND ${canDo('able', need)})`;
}

/** One that tried may be back, or another in its place, as when agents are replaced one by one. */
function anyToWaitFor(need: NeedSql): RawBuilder<boolean> {
  return sql<boolean>`(cardinality(${need.exclude}) > 0
    OR EXISTS (SELECT FROM agents AS able WHERE able.deleted_at IS NULL AND ${canDo('able', need)}))`;
}

/**
 * Of several tasks at once: whether they are for agents, and whether one could take it now, which is called or waits in
 * a claim. For how many the claim waits is not asked: see `chooseAgent`. A task that the built-in executor cannot do is
 * for agents as long as there are any to wait for.
 */
export async function lanesByAgents(
  trx: Trx | Db,
  taskIds: string[],
): Promise<{ task_id: string; fits: boolean; takable: boolean }[]> {
  const need = needOfTask('t');
  const { rows } = await sql<{ task_id: string; fits: boolean; takable: boolean }>`
    WITH busy AS MATERIALIZED (SELECT * FROM ${busyAgents} AS b)
    SELECT t.task_id,
      (${anyAtWork(need)} OR (t.needs_agent AND ${anyToWaitFor(need)})) AS fits,
      EXISTS (SELECT FROM agents AS a LEFT JOIN busy ON busy.agent_id = a.agent_id
        WHERE coalesce(busy.running, 0) < a.max_concurrency AND (${modeOf('a')} <> 'pull' OR ${isWaiting('a')})
          AND ${mayDoTask('a', need)}) AS takable
    FROM tasks AS t WHERE t.task_id = ANY(${taskIds}::text[])`.execute(trx);
  return rows;
}
