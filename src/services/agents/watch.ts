/** One look at all agents: statuses that follow from what was missed, tasks of those that are gone or never came, health checks. */
import type { HealthAnswer } from '../../clients/agent-calls.ts';
import type { Deps } from '../../deps.ts';
import type { AgentStatus } from '../../schema/names.ts';
import type { AgentHealth } from '../../schema/tables-control.ts';
import { type AgentRow, allAgents, lockAgent, tasksOfLostAgents } from '../../stores/agents-rows.ts';
import { lookAtStranded } from '../tasks/overdue.ts';
import { admitTasks } from '../tasks/settle.ts';
import { type CalledAgent, checkHealth } from './calls.ts';
import { changeAgent, isLoadNews } from './change.ts';
import { tellLost } from './lost.ts';
import { removeLongOffline } from './retention.ts';
import { statusOf } from './status.ts';

/** Agents at once. */
const AT_ONCE = 50;
/** Most time in which a round begins to ask for health. */
const ASKING_MS = 5_000;
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
  /** Tasks that failed because no agent came for them. */
  closed: number;
  /** Agents taken out because they went offline long ago. */
  removed: number;
}

export interface AgentWatch {
  /** Two at once do no harm: each change is made once. */
  round(signal?: AbortSignal): Promise<Round>;
}

export function createAgentWatch(deps: Deps): AgentWatch {
  const interval = deps.config.AGENT_HEARTBEAT_SECONDS * 1000;
  let since = 0;
  let last = 0;

  /** Until the living had time for a heartbeat nobody is called offline who was not. */
  function settle(row: AgentRow, at: number): (status: AgentStatus) => AgentStatus {
    if (row.status === 'offline' || at - since >= GRACE * interval) return (status) => status;
    return (status) => (status !== 'offline' ? status : row.draining ? 'draining' : 'unhealthy');
  }

  function isNews(row: AgentRow, at: number): boolean {
    const status = settle(row, at)(statusOf(row, at, deps.config.AGENT_HEARTBEAT_SECONDS));
    return status !== row.status || isLoadNews(row, at);
  }

  /** What follows from the signs of life that there are: nobody is asked. */
  async function judge(row: AgentRow): Promise<boolean> {
    const at = Date.now();
    return isNews(row, at) ? apply(row, () => ({}), at) : false;
  }

  async function ask(row: AgentRow, signal: AbortSignal | undefined): Promise<boolean> {
    const asked = Date.now();
    const answer = await checkHealth(deps, called(row), signal);
    if (!answer) return false;
    const at = Date.now();
    const change = (locked: AgentRow) =>
      isHealthNews(locked, answer, asked, interval) ? healthChange(locked, answer, at) : {};
    return isHealthNews(row, answer, asked, interval) || isNews(row, at) ? apply(row, change, at) : false;
  }

  /** Resolves with whether the status is another now. */
  async function apply(row: AgentRow, change: (locked: AgentRow) => Change, at: number): Promise<boolean> {
    return deps.db.transaction().execute(async (trx) => {
      const locked = await lockAgent(trx, row.agent_id);
      if (!locked) return false;
      const after = await changeAgent(trx, deps.config, locked, change(locked), settle(locked, at));
      return after.status !== locked.status;
    });
  }

  return {
    async round(signal) {
      const at = Date.now();
      if (at - last > PAUSE * interval) since = at;
      last = at;
      const rows = await allAgents(deps.db);
      // First what needs no answer: slow health endpoints of some do not put off the loss of others.
      const judged = await eachAtOnce(rows.filter(livesByItself), AT_ONCE, judge);
      const held = await tasksOfLostAgents(deps.db);
      await tellLost(deps, held);
      await admitTasks(deps);
      // A watch that has just begun leaves everybody the time to come back first.
      const settled = at - since >= GRACE * interval;
      const closed = await lookAtStranded(deps, settled);
      const removed = settled ? await removeLongOffline(deps) : 0;
      const until = Date.now() + ASKING_MS;
      const asked = await eachAtOnce(longestUnasked(rows), AT_ONCE, async (row) =>
        Date.now() < until ? ask(row, signal) : false,
      );
      last = Date.now();
      return {
        agents: rows.length,
        changed: [...judged, ...asked].filter(Boolean).length,
        lost: held.length,
        closed,
        removed,
      };
    },
  };
}

type Change = Parameters<typeof changeAgent>[3];

/** Of one that sends no heartbeats and answers instead nothing is known before it is asked. */
const livesByItself = (row: AgentRow): boolean => row.beats || row.endpoints.health === undefined;

/** Those with a health endpoint; who was passed over in one round is asked in the next. */
function longestUnasked(rows: AgentRow[]): AgentRow[] {
  const checked = (row: AgentRow) => row.health?.checked_at ?? '';
  return rows
    .filter((row) => row.endpoints.health !== undefined)
    .sort((a, b) => (checked(a) < checked(b) ? -1 : checked(a) > checked(b) ? 1 : 0));
}

const called = ({ agent_id, owner, endpoints, credential }: AgentRow): CalledAgent => ({
  agent_id,
  owner,
  endpoints,
  credential,
});

/**
 * Good news after good news is written often enough to count as a heartbeat, and no oftener. What was asked before the
 * last answer was written is another watch's question too, and counts once.
 */
function isHealthNews(row: AgentRow, answer: HealthAnswer, asked: number, interval: number): boolean {
  if (row.health === null) return true;
  if (asked <= Date.parse(row.health.checked_at)) return false;
  if (!answer.ok || row.health.failures > 0 || row.answered_at === null) return true;
  return asked - row.answered_at.getTime() >= interval / 2;
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
