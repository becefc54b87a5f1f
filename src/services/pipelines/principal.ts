/** For whom a run acts: whoever executed it, with what that caller may do at this moment. */
import { Failure } from '../../schema/failures.ts';
import type { Principal } from '../../schema/principal.ts';
import type { RunPrincipal } from '../../schema/tables-control.ts';
import type { Db } from '../../stores/database.ts';
import { findPipelineRun } from '../../stores/pipeline-runs.ts';

/** Most runs that start one another, whether by executing a pipeline or by trying a run again. */
const MAX_DEPTH = 5;

/** What is kept of a caller with its run. */
export function runPrincipal({ id, name, role, grants, keyId }: Principal, depth: number): RunPrincipal {
  return { id, name, role, grants, keyId, depth };
}

/**
 * The caller as it is now: of a key the role and grants that it has today. Callers who proved themselves with a token
 * of somebody else's keep what the token said. Throws Failure('forbidden') when the key was revoked or has expired.
 */
export async function currentPrincipal(db: Db, run: { principal: RunPrincipal; run_id: string }): Promise<Principal> {
  const { id, name, role, grants, keyId } = run.principal;
  const now = { id, name, role, grants, keyId, via: 'delegated' as const };
  if (keyId === null) return now;
  const key = await db
    .selectFrom('api_keys')
    .select(['role', 'grants', 'revoked_at', 'expires_at'])
    .where('key_id', '=', keyId)
    .executeTakeFirst();
  const dead = !key || key.revoked_at !== null || (key.expires_at !== null && key.expires_at.getTime() <= Date.now());
  if (dead) throw new Failure('forbidden', `The key that run ${run.run_id} acts with was revoked or has expired`);
  return { ...now, role: key.role, grants: key.grants };
}

/** What a delegated call is known by, in the audit log too: `run:<run id>/<stage>/<item>/<run attempt>.<try>`. */
export function delegatedRequestId(ref: {
  run_id: string;
  stage: number;
  item: number;
  attempt: number;
  try: number;
}): string {
  return `run:${ref.run_id}/${ref.stage}/${ref.item}/${ref.attempt}.${ref.try}`;
}

/** The run that a call was made by; null for a caller of its own. */
function callingRun(call: { principal: Principal; requestId: string }): string | null {
  if (call.principal.via !== 'delegated') return null;
  return /^run:([^/]+)\//.exec(call.requestId)?.[1] ?? null;
}

/**
 * How many runs started one another above the one that this call starts; 0 for a caller of its own. Throws
 * Failure('too_deep') when they are too many: without a limit two runs that start each other would never end.
 */
export async function depthOf(db: Db, call: { principal: Principal; requestId: string }): Promise<number> {
  const by = callingRun(call);
  if (by === null) return 0;
  const depth = ((await findPipelineRun(db, by))?.principal.depth ?? 0) + 1;
  if (depth < MAX_DEPTH) return depth;
  throw new Failure('too_deep', `Runs of pipelines start one another ${MAX_DEPTH} deep at most`);
}
