/** Agents and tasks as rows, for tests of what reads them. */
import { randomUUID } from 'node:crypto';
import type { Insertable } from 'kysely';
import type { Tables } from '../../../src/schema/tables.ts';
import type { Db } from '../../../src/stores/database.ts';

type AgentColumns = Omit<Insertable<Tables['agents']>, 'endpoints' | 'resources' | 'labels' | 'health'>;

/** A push agent that takes one task at a time, unless told. */
export async function putAgent(
  db: Db,
  agent: Partial<AgentColumns> & { endpoints?: object; resources?: object; labels?: object } = {},
): Promise<string> {
  const agent_id = agent.agent_id ?? randomUUID();
  const { endpoints = { task: 'http://agent.test/task' }, resources = {}, labels = {}, ...columns } = agent;
  await db
    .insertInto('agents')
    .values({
      owner: 'dev',
      name: `agent-${agent_id.slice(0, 8)}`,
      type: 'worker',
      capabilities: ['task-execution'],
      endpoints: JSON.stringify(endpoints),
      resources: JSON.stringify(resources),
      labels: JSON.stringify(labels),
      ...columns,
      agent_id,
    })
    .execute();
  return agent_id;
}

/** A task that `agent` is at. */
export async function putRunningTask(db: Db, agent: string, owner = 'dev'): Promise<string> {
  const task_id = randomUUID();
  await db
    .insertInto('tasks')
    .values({
      task_id,
      owner,
      type: 'processing',
      payload: '{}',
      priority: 1,
      timeout_seconds: 60,
      retry_count: 0,
      workflow_id: `task-${task_id}`,
      status: 'running',
      phase: 'running',
      slot: true,
      assigned_agent: agent,
    })
    .execute();
  return task_id;
}
