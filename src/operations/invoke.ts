/** Runs an operation the same way for every door: count, check the permission, receive and validate, run, audit. */
import type { z } from 'zod';
import type { Deps } from '../deps.ts';
import { mayDo } from '../schema/access.ts';
import { Failure } from '../schema/failures.ts';
import { toFailure } from '../schema/unknown-error.ts';
import { countCall, overLimit, rateClassOf } from '../services/limits/rates.ts';
import { writeAudit } from '../stores/audit.ts';
import type { RateState } from '../stores/rate-limits.ts';
import type { AnyOperation, Call } from './contract.ts';

export type Invocation = Omit<Call, 'deps'> & {
  /** Told where the caller stands in its rate limit, before anything else is done. */
  onRate?(state: RateState): void;
  /** Reads the rest of the call once the caller is let through: of a refused one not a byte of the body is read. */
  receive?(): Promise<Received>;
};

/** What `invoke` was given as `raw` goes over `input`: the parts of the path. */
export type Received = Partial<Pick<Call, 'upload' | 'idempotencyKey'>> & { input: Record<string, unknown> };

/**
 * Resolves with the operation's output; throws Failure and nothing else. `raw` is untrusted.
 * What an operation throws that is no Failure is logged with its stack and answered as `internal`.
 */
export async function invoke(
  deps: Deps,
  operation: AnyOperation,
  invocation: Invocation,
  raw: unknown,
): Promise<unknown> {
  const started = performance.now();
  const { onRate, receive, ...call } = invocation;
  const { principal, requestId } = call;
  let outcome = 'ok';
  let resource: string | null = null;
  let counted = true;
  try {
    const state = await countCall(deps.limits, principal, rateClassOf(operation, principal));
    if (state) onRate?.(state);
    if (state?.refused) {
      counted = false;
      deps.metrics.rateLimited.inc({ class: state.class });
      throw overLimit(state);
    }
    if (!mayDo(principal, operation.permission)) {
      throw new Failure('forbidden', `Role ${principal.role} lacks ${[operation.permission].flat().join(' or ')}`);
    }
    const { input: received, ...rest } = receive ? await receive() : { input: undefined };
    const input = parseInput(operation.input, received ? { ...received, ...(raw as object) } : raw);
    resource = resourceOf(input);
    const output = await operation.run({ ...call, ...rest, deps }, input);
    resource ??= resourceOf(output);
    return output;
  } catch (error) {
    const failure = toFailure(error);
    outcome = failure.code;
    deps.metrics.failures.inc({ room: operation.room, code: failure.code });
    if (failure.code === 'internal' || failure.code === 'unavailable') {
      deps.log.error(
        { err: error, request_id: requestId, principal: principal.id, operation: operation.name },
        failure.message,
      );
    }
    throw failure;
  } finally {
    deps.metrics.requests.inc({ operation: operation.name, outcome });
    deps.metrics.requestSeconds.observe({ operation: operation.name }, (performance.now() - started) / 1000);
    // A flood that is refused must not become a flood of audit rows.
    if (operation.audited && counted) {
      await writeAudit(deps.db, {
        principal_id: principal.id,
        role: principal.role,
        key_id: principal.keyId,
        operation: operation.name,
        resource,
        outcome,
        request_id: requestId,
        address: call.address,
      }).catch((error) => deps.log.error({ err: error, request_id: requestId }, 'the audit log could not be written'));
    }
  }
}

/** Checks untrusted input; throws Failure('invalid_input') that names every faulty field. */
export function parseInput<S extends z.ZodObject>(schema: S, raw: unknown): z.output<S> {
  const parsed = safeParse(schema, raw);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => ({
    path: issue.path.join('.') || '(input)',
    message: issue.message,
  }));
  throw new Failure(
    'invalid_input',
    faults
      .map((fault) => `${fault.path}: ${fault.message}`)
      .slice(0, 5)
      .join('; '),
    { faults },
  );
}

/** Fields whose value names what a call was about; the first that is there counts. */
const RESOURCE_IDS = [
  'file_id',
  'workflow_id',
  'key_id',
  'query_id',
  'credential_id',
  'task_id',
  'approval_id',
  'notification_id',
  'run_id',
  'pipeline_id',
  'agent_id',
];

/** The id that names what a call was about, for the audit log. */
function resourceOf(value: unknown): string | null {
  if (typeof value !== 'object' || value === null) return null;
  for (const key of RESOURCE_IDS) {
    const id = (value as Record<string, unknown>)[key];
    if (typeof id === 'string') return `${key.slice(0, -3)}:${id}`;
  }
  return null;
}

/** Values nested without end exhaust the stack before any rule of the schema can refuse them. */
function safeParse<S extends z.ZodObject>(schema: S, raw: unknown): z.ZodSafeParseResult<z.output<S>> {
  try {
    return schema.safeParse(raw);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new Failure('invalid_input', 'The input is nested too deep', {
      faults: [{ path: '(input)', message: 'is nested too deep' }],
    });
  }
}
