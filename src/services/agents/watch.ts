/** One look at all agents: health checks, statuses that follow from what was missed, tasks of those that are gone, and tasks that wait. */

import type { HealthAnswer } from '../../clients/agent-calls.ts';
import type { Deps } from '../../deps.ts';
import type { AgentStatus } from '../../schema/names.ts';
import type { AgentHealth } from '../../schema/tables-control.ts';
import { type AgentRow, allAgents, lockAgent, tasksOfLostAgents } from '../../stores/agents-rows.ts';
import { admitTasks } from '../tasks/settle.ts';
import { type CalledAgent, checkHealth } from './calls.ts';
import { changeAgent, isLoadNews } from './change.ts';
import { tellLost } from './lost.ts';
import { statusOf } from './status.ts';

/** Health checks at once. */
const AT_ONCE = 50;
/**
 * Heartbeats in which a watch that has just begun calls nobody offline: while everything was down nobody could send
 * one, and those that live do so within the next.
 */
const GRACE = 1.5;
/** A watch that has not looked for so many heartbeats has just begun. */
const PAUSE = 3;

export interface Round {
  agents: number;
  /** How many are another status now. */
  changed: number;
  /** Tasks that were told that their agent is gone. */
  lost: number;
}

export interface AgentWatch {
  /** Two at once do no harm: each change is made once. */
  round(signal?: AbortSignal): Promise<Round>;
}

export function createAgentWatch(deps: Deps): AgentWatch {
  const interval = deps.config.AGENT_HEARTBEAT_SECONDS * 1000;
  let since = 0;
  let last = 0;

  async function look(row: AgentRow, signal: AbortSignal | undefined): Promise<boolean> {
    const answer = await checkHealth(deps, called(row), signal);
    const at = Date.now();
    const young = at - since < GRACE * interval;
    const settle = (status: AgentStatus): AgentStatus => {
      if (status !== 'offline' || row.status === 'offline' || !young) return status;
      return row.draining ? 'draining' : 'unhealthy';
    };
    const stale = settle(statusOf(row, at, deps.config.AGENT_HEARTBEAT_SECONDS)) !== row.status;
    if (!stale && !isLoadNews(row, at) && !(answer && isHealthNews(row, answer, at, interval))) return false;
    return deps.db.transaction().execute(async (trx) => {
      const locked = await lockAgent(trx, row.agent_id);
      if (!locked) return false;
      const change = answer && isHealthNews(locked, answer, at, interval) ? healthChange(locked, answer, at) : {};
      const after = await changeAgent(trx, deps.config, locked, change, settle);
      return after.status !== locked.status;
    });
  }

  return {
    async round(signal) {
      const at = Date.now();
      if (at - last > PAUSE * interval) since = at;
      last = at;
      const rows = await allAgents(deps.db);
      const changes = await eachAtOnce(rows, AT_ONCE, (row) => look(row, signal));
      const held = await tasksOfLostAgents(deps.db);
      await tellLost(deps, held);
      await admitTasks(deps);
      last = Date.now();
      return { agents: rows.length, changed: changes.filter(Boolean).length, lost: held.length };
    },
  };
}

const called = ({ agent_id, owner, endpoints, credential }: AgentRow): CalledAgent => ({
  agent_id,
  owner,
  endpoints,
  credential,
});

/** Good news after good news is written often enough to count as a heartbeat, and no oftener. */
function isHealthNews(row: AgentRow, answer: HealthAnswer, at: number, interval: number): boolean {
  if (!answer.ok) return row.health === null || at - Date.parse(row.health.checked_at) >= Math.min(interval, 1_000) / 4;
  if (row.health === null || row.health.failures > 0 || row.answered_at === null) return true;
  return at - row.answered_at.getTime() >= interval / 2;
}

function healthChange(row: AgentRow, answer: HealthAnswer, at: number) {
  const health: AgentHealth = {
    ok: answer.ok,
    failures: answer.ok ? 0 : (row.health?.failures ?? 0) + 1,
    latency_ms: answer.latency_ms,
    checked_at: new Date(at).toISOString(),
  };
  return { health, ...(answer.ok ? { answered_at: new Date(at) } : {}) };
}

async function eachAtOnce<T, R>(items: T[], atOnce: number, act: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const entries = items.entries();
  // Each takes the next from the one iterator.
  const take = async () => {
    for (const [index, item] of entries) results[index] = await act(item);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, take));
  return results;
}
