/** Agents as rows: found, listed, counted, changed. */
import { type Insertable, type Selectable, sql, type Updateable } from 'kysely';
import type { AgentStatus, AgentType } from '../schema/names.ts';
import type { Tables } from '../schema/tables.ts';
import { decodeCursor, pageFrom } from './cursor.ts';
import type { Db, Trx } from './database.ts';
import type { Page } from './file-lists.ts';

export type AgentRow = Selectable<Tables['agents']>;
export type AgentChange = Updateable<Tables['agents']>;

/** Key of the advisory lock under which agents are registered and counted. */
const REGISTRATION_LOCK = 'ostinato.agents';

/** Until the transaction ends nobody else registers an agent. */
export async function lockRegistrations(trx: Trx): Promise<void> {
  await sql`SELECT pg_advisory_xact_lock(hashtextextended(${REGISTRATION_LOCK}, 0))`.execute(trx);
}

/** A live agent; a deleted one is not there. */
export async function findAgent(db: Db | Trx, agentId: string): Promise<AgentRow | undefined> {
  return live(db).where('agent_id', '=', agentId).executeTakeFirst();
}

export async function findAgentByName(db: Db | Trx, name: string): Promise<AgentRow | undefined> {
  return live(db).where('name', '=', name).executeTakeFirst();
}

/** The live agent's row, nobody else's to change until the transaction ends. */
export async function lockAgent(trx: Trx, agentId: string): Promise<AgentRow | undefined> {
  return live(trx).where('agent_id', '=', agentId).forUpdate().executeTakeFirst();
}

export async function allAgents(db: Db): Promise<AgentRow[]> {
  return live(db).orderBy('agent_id').execute();
}

const live = (db: Db | Trx) => db.selectFrom('agents').selectAll().where('deleted_at', 'is', null);

export async function countAgents(db: Db | Trx): Promise<number> {
  const { count } = await db
    .selectFrom('agents')
    .select(({ fn }) => fn.countAll<string>().as('count'))
    .where('deleted_at', 'is', null)
    .executeTakeFirstOrThrow();
  return Number(count);
}

export async function insertAgent(trx: Trx, agent: Insertable<Tables['agents']>): Promise<AgentRow> {
  return trx.insertInto('agents').values(agent).returningAll().executeTakeFirstOrThrow();
}

/** The row as it now is. */
export async function updateAgent(trx: Trx, agentId: string, change: AgentChange): Promise<AgentRow> {
  return trx
    .updateTable('agents')
    .set({ ...change, updated_at: new Date() })
    .where('agent_id', '=', agentId)
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** Newest first. `shown`: of these owners or with these ids, besides shared ones; null shows all. */
export async function listAgents(
  db: Db,
  shown: { owners: string[]; ids: string[] } | null,
  query: {
    status?: AgentStatus | undefined;
    type?: AgentType | undefined;
    capability?: string | undefined;
    limit: number;
    cursor?: string | undefined;
  },
): Promise<Page<AgentRow>> {
  let rows = live(db);
  if (shown) {
    rows = rows.where(
      sql<boolean>`(shared OR owner = ANY(${shown.owners}::text[]) OR agent_id = ANY(${shown.ids}::text[]))`,
    );
  }
  if (query.status) rows = rows.where('status', '=', query.status);
  if (query.type) rows = rows.where('type', '=', query.type);
  if (query.capability) rows = rows.where(sql<boolean>`capabilities @> ARRAY[${query.capability}]::text[]`);
  const after = decodeCursor(query.cursor, 2);
  if (after) rows = rows.where(sql<boolean>`(registered_at, agent_id) < (${after[0]}::timestamptz, ${after[1]})`);
  const found = await rows
    .select(sql<string>`registered_at::text`.as('position'))
    .orderBy('registered_at', 'desc')
    .orderBy('agent_id', 'desc')
    .limit(query.limit + 1)
    .execute();
  return pageFrom(found, query.limit, (row) => [row.position, row.agent_id]);
}

export interface HeldTask {
  task_id: string;
  workflow_id: string;
  agent_id: string;
  type: string;
  attempt: number;
  assigned_at: Date | null;
}

/** Tasks that hold a slot for these agents, oldest first. */
export async function tasksOf(db: Db | Trx, agentIds: string[]): Promise<HeldTask[]> {
  if (agentIds.length === 0) return [];
  return db
    .selectFrom('tasks')
    .select(['task_id', 'workflow_id', 'type', 'attempt', 'assigned_at'])
    .select((eb) => eb.ref('assigned_agent').$castTo<string>().as('agent_id'))
    .where('slot', '=', true)
    .where('assigned_agent', 'in', agentIds)
    .orderBy('assigned_at')
    .execute();
}

/** Tasks that hold a slot for an agent that is offline or deleted. */
export async function tasksOfLostAgents(db: Db): Promise<HeldTask[]> {
  return db
    .selectFrom('tasks')
    .innerJoin('agents', 'agents.agent_id', 'tasks.assigned_agent')
    .select(['task_id', 'workflow_id', 'agents.agent_id', 'tasks.type', 'attempt', 'assigned_at'])
    .where('slot', '=', true)
    .where((eb) => eb.or([eb('agents.deleted_at', 'is not', null), eb('agents.status', '=', 'offline')]))
    .execute();
}

/** Whether there is anything that a watch could find: an agent, or a task that waits or is held. */
export async function anythingToWatch(db: Db): Promise<boolean> {
  const found = await sql<{ any: boolean }>`SELECT EXISTS (SELECT FROM agents WHERE deleted_at IS NULL)
    OR EXISTS (SELECT FROM tasks WHERE phase = 'queued')
    OR EXISTS (SELECT FROM tasks WHERE slot AND assigned_agent IS NOT NULL) AS any`.execute(db);
  return found.rows[0]?.any ?? false;
}

/** Notes a sign of life that is no heartbeat, such as a claim; at most once in `everySeconds`. */
export async function touchAgent(db: Db, agentId: string, everySeconds: number): Promise<void> {
  await sql`
    UPDATE agents SET last_heartbeat = now() WHERE agent_id = ${agentId} AND deleted_at IS NULL
      AND last_heartbeat < now() - make_interval(secs => ${everySeconds})`.execute(db);
}
