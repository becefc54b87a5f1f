/** What a run waits for as questions that a client puts to the person before it, and what the answers decide. */
import type { Deps } from '../../deps.ts';
import { mayDo } from '../../schema/access.ts';
import type { JsonObject } from '../../schema/json.ts';
import type { Principal } from '../../schema/principal.ts';
import { openApprovalsOf } from '../../stores/approvals.ts';
import { stagesOf } from '../../stores/pipeline-stages.ts';

const MAX_COMMENT = 2_000;

/** A form as MCP asks for it, by the id of its approval; none where the caller may not decide. */
export async function questionsOf(
  deps: Pick<Deps, 'db'>,
  principal: Principal,
  runId: string,
): Promise<Record<string, JsonObject>> {
  if (!mayDo(principal, 'approvals:decide')) return {};
  const approvals = await openApprovalsOf(deps.db, runId);
  if (approvals.length === 0) return {};
  const stages = await stagesOf(deps.db, runId);
  return Object.fromEntries(
    approvals.map(({ approval_id, stage, message, deadline }) => {
      const name = stages.find((row) => row.stage === stage)?.name ?? `stage ${stage}`;
      const asked = message === '' ? '' : `: ${message}`;
      return [approval_id, form(`${name} waits for approval until ${deadline.toISOString()}${asked}`)];
    }),
  );
}

function form(message: string): JsonObject {
  const decision = { type: 'string', title: 'Decision', enum: ['approve', 'reject'] };
  const comment = { type: 'string', title: 'Comment', maxLength: MAX_COMMENT };
  const requestedSchema = { type: 'object', properties: { decision, comment }, required: ['decision'] };
  return { method: 'elicitation/create', params: { mode: 'form', message, requestedSchema } };
}

export interface GivenDecision {
  approval_id: string;
  decision: 'approve' | 'reject';
  comment: string | null;
}

/** The decisions among answers. Who puts a question aside, or answers something else, leaves it open for others. */
export function decisionsIn(answers: Record<string, unknown>): GivenDecision[] {
  return Object.entries(answers).flatMap(([approval_id, answer]) => {
    const { action, content } = (answer ?? {}) as { action?: unknown; content?: Record<string, unknown> };
    const decision = content?.decision;
    if (action !== 'accept' || (decision !== 'approve' && decision !== 'reject')) return [];
    const comment = content?.comment;
    return [{ approval_id, decision, comment: typeof comment === 'string' && comment !== '' ? comment : null }];
  });
}
