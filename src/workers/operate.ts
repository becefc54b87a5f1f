/** How stages of pipelines run operations: by name, with the caller's permissions, as every door does. */
import type { Operate } from '../activities/pipelines/index.ts';
import type { Deps } from '../deps.ts';
import { operations } from '../operations/index.ts';
import { invoke } from '../operations/invoke.ts';
import { Failure } from '../schema/failures.ts';

export function createOperate(deps: Deps): Operate {
  const byName = new Map(operations.map((operation) => [operation.name, operation]));
  return async ({ operation: name, principal, input, requestId, idempotencyKey, signal, report }) => {
    const operation = byName.get(name);
    if (!operation) throw new Failure('invalid_pipeline', `There is no operation ${JSON.stringify(name)}`);
    return invoke(deps, operation, { principal, requestId, address: null, idempotencyKey, signal, report }, input);
  };
}
