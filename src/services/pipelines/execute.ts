/** Admission of a run: its rows and its idempotency key in one transaction, then its workflow. */
import { createHash, randomUUID } from 'node:crypto';
import type { Deps } from '../../deps.ts';
import { Failure, type Fault } from '../../schema/failures.ts';
import { WORKFLOWS } from '../../schema/names.ts';
import type { RunPipelineInput } from '../../schema/pipeline-flow.ts';
import { type Execution, MAX_RUN_INPUT_BYTES, type Notification } from '../../schema/pipelines.ts';
import type { Principal } from '../../schema/principal.ts';
import { findCredential } from '../../stores/credentials.ts';
import { claimIdempotencyKey } from '../../stores/idempotency.ts';
import { findPipelineRun, insertPipelineRun, type PipelineRunRow } from '../../stores/pipeline-runs.ts';
import { insertStages } from '../../stores/pipeline-stages.ts';
import { findDefinition, lockPipeline } from '../../stores/pipelines.ts';
import { insertRun, type NewRun } from '../../stores/runs.ts';
import { startAdmitted } from '../engine.ts';
import { compensatorOf } from './check.ts';
import { depthOf, runPrincipal } from './principal.ts';
import { workflowIdOf } from './workflow-id.ts';

const OPERATION = 'pipelines.execute';

export function workflowOf(run: Pick<PipelineRunRow, 'run_id' | 'pipeline_id' | 'owner'>, attempt: number): NewRun {
  const input: RunPipelineInput = { run_id: run.run_id, pipeline_id: run.pipeline_id, owner: run.owner, attempt };
  return {
    workflow_id: workflowIdOf(run.run_id, attempt),
    type: WORKFLOWS.runPipeline,
    room: 'pipelines',
    owner: run.owner,
    source: null,
    resource: `run:${run.run_id}`,
    input,
  };
}

export interface Caller {
  principal: Principal;
  requestId: string;
  idempotencyKey: string | null;
}

/**
 * Admits a run of `pipelineId`, which the caller may see, and starts it; a repeat with the same Idempotency-Key leads
 * to the same run. Throws Failure: `not_found` for a version, `invalid_input`, `egress_denied`, `payload_too_large`,
 * `idempotency_mismatch`, `too_deep` for runs that start one another without end.
 */
export async function executePipeline(
  deps: Deps,
  caller: Caller,
  pipelineId: string,
  execution: Execution,
): Promise<PipelineRunRow> {
  const { principal, idempotencyKey } = caller;
  await checkExecution(deps, principal, execution);
  const depth = await depthOf(deps.db, caller);
  const run_id = randomUUID();
  const { input_data, parameters, notification } = execution;
  const admitted = await deps.db.transaction().execute(async (trx) => {
    if (idempotencyKey !== null) {
      const body = JSON.stringify([pipelineId, execution]);
      const earlier = await claimIdempotencyKey(trx, {
        principal_id: principal.id,
        operation: OPERATION,
        key: idempotencyKey,
        body_hash: createHash('sha256').update(body).digest('hex'),
        resource_id: run_id,
      });
      if (earlier !== run_id) return requireRun(await findPipelineRun(trx, earlier));
    }
    const pipeline = await lockPipeline(trx, pipelineId);
    if (!pipeline) throw new Failure('not_found', `No pipeline ${pipelineId}`);
    const version = execution.version ?? pipeline.version;
    const definition = await findDefinition(trx, { pipeline_id: pipelineId, version });
    if (!definition) throw new Failure('not_found', `Pipeline ${pipelineId} has no version ${version}`);
    const workflow = workflowOf({ run_id, pipeline_id: pipelineId, owner: principal.id }, 1);
    await insertPipelineRun(trx, {
      run_id,
      pipeline_id: pipelineId,
      version,
      owner: principal.id,
      principal: JSON.stringify(runPrincipal(principal, depth)),
      workflow_id: workflow.workflow_id,
      input_data: JSON.stringify(input_data ?? null),
      parameters: JSON.stringify(parameters),
      notification: JSON.stringify(notification ?? null),
    });
    const { stages } = definition;
    const compensators = stages.flatMap(({ on_failure }) => compensatorOf(on_failure) ?? []);
    const compensating = new Set(stages.flatMap(({ name }, index) => (compensators.includes(name) ? [index] : [])));
    await insertStages(trx, { run_id, stages, compensating });
    await insertRun(trx, workflow);
    return workflow;
  });
  if ('run_id' in admitted) return admitted;
  await startAdmitted(deps, admitted);
  return requireRun(await findPipelineRun(deps.db, run_id));
}

function requireRun(row: PipelineRunRow | undefined): PipelineRunRow {
  if (row) return row;
  throw new Failure('conflict', 'This Idempotency-Key led to a run that is gone since; use a new key');
}

/** What can be known to go wrong later is refused now. */
async function checkExecution(deps: Deps, principal: Principal, execution: Execution): Promise<void> {
  const size = Buffer.byteLength(JSON.stringify([execution.input_data ?? null, execution.parameters]));
  if (size > MAX_RUN_INPUT_BYTES) {
    throw new Failure(
      'payload_too_large',
      `input_data and parameters have ${size} bytes; ${MAX_RUN_INPUT_BYTES} are allowed. Larger input belongs into a file`,
    );
  }
  const { webhook, email, credential } = (execution.notification ?? {}) as Notification;
  const faults: Fault[] = [];
  const add = (field: string, message: string) => void faults.push({ path: `notification.${field}`, message });
  if (email !== undefined && deps.config.SMTP_URL === undefined) {
    add('email', 'no mail server is set here (SMTP_URL), so no mail can be sent');
  }
  if (webhook !== undefined && deps.config.MASTER_KEY === undefined)
    add('webhook', 'no MASTER_KEY is set here to sign with');
  if (credential !== undefined && webhook === undefined) add('credential', 'is for a webhook, and none is named');
  else if (credential !== undefined && !(await findCredential(deps.db, principal.id, credential))) {
    add('credential', `you have no credential ${JSON.stringify(credential)}`);
  }
  if (faults.length > 0) {
    throw new Failure('invalid_input', faults.map(({ path, message }) => `${path}: ${message}`).join('; '), { faults });
  }
  if (webhook !== undefined) await deps.egress.check(webhook, { httpsOnly: true });
}
