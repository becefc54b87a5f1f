/** Takes out agents that went offline so long ago that nobody expects them back: they count against MAX_AGENTS. */
import { sql } from 'kysely';
import type { Deps } from '../../deps.ts';
import { lockAgent } from '../../stores/agents-rows.ts';
import { writeAudit } from '../../stores/audit.ts';
import { revokeAgentTokens } from '../access/agent-tokens.ts';
import { changeAgent } from './change.ts';

const AT_ONCE = 50;

/**
 * As deleting each would, AGENT_RETENTION_DAYS after it was seen to be offline; 0: never. By its last sign of life an
 * outage of ours would count as its own. Resolves with how many.
 */
export async function removeLongOffline(deps: Pick<Deps, 'db' | 'config'>): Promise<number> {
  const days = deps.config.AGENT_RETENTION_DAYS;
  if (days === 0) return 0;
  // A sign of life that came since then, and has not changed the status yet, counts too.
  const long = sql<boolean>`status = 'offline'
    AND greatest(offline_since, last_heartbeat, answered_at) < now() - make_interval(days => ${days})
    AND offline_since IS NOT NULL`;
  const found = await deps.db
    .selectFrom('agents')
    .select('agent_id')
    .where('deleted_at', 'is', null)
    .where(long)
    .limit(AT_ONCE)
    .execute();
  let removed = 0;
  for (const { agent_id } of found) {
    removed += await deps.db.transaction().execute(async (trx) => {
      const row = await lockAgent(trx, agent_id);
      const still = await trx
        .selectFrom('agents')
        .select('agent_id')
        .where('agent_id', '=', agent_id)
        .where(long)
        .execute();
      if (!row || still.length === 0) return 0;
      await changeAgent(trx, deps.config, row, { deleted_at: new Date() }, () => 'offline');
      await revokeAgentTokens(trx, agent_id);
      await writeAudit(trx, { operation: 'agents.expire', resource: `agent:${agent_id}`, outcome: 'ok' });
      return 1;
    });
  }
  return removed;
}
