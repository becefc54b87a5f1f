/** One try of a stage of type `operation`: any operation of the house, with the permissions that the run's caller has now. */
import { ApplicationFailure } from '@temporalio/activity';
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import type { Json, JsonObject } from '../../schema/json.ts';
import type { StageRef } from '../../schema/pipeline-flow.ts';
import type { Principal } from '../../schema/principal.ts';
import type { ArtifactRef, StageOutput } from '../../schema/stages/contract.ts';
import { retryDelayMs } from '../../services/limits/rates.ts';
import { currentPrincipal, delegatedRequestId } from '../../services/pipelines/principal.ts';
import { lockRun } from '../../stores/pipeline-runs.ts';
import { setStage } from '../../stores/pipeline-stages.ts';
import { notePutOff, putOffs } from '../../stores/pipeline-tries.ts';
import { artifactOf } from './artifacts.ts';
import { type PipelineDeps, prefixOf, readRun, resolved, stageOf } from './run-data.ts';
import { timeoutOf } from './run-stage.ts';
import { tryStage, type Work } from './try.ts';

/** A summary stands in the row and in expressions; more becomes an artifact. */
const MAX_SUMMARY_BYTES = 16 * 1024;

/** Runs an operation as every door does; the worker hands it in, since operations stand above activities. */
export type Operate = (call: {
  operation: string;
  principal: Principal;
  input: JsonObject;
  requestId: string;
  idempotencyKey: string;
  signal: AbortSignal;
  report(progress: number, total: number): void;
}) => Promise<unknown>;

/**
 * A call that the caller's rate limit refuses puts the try off until the limit says, and a little longer by chance, however
 * often: it is no failure, its waiting is not of the stage's time, and it holds no place here meanwhile.
 */
export async function runOperation(deps: PipelineDeps, operate: Operate, ref: StageRef): Promise<void> {
  const data = await readRun(deps.db, ref.run_id);
  const refused: { seconds: number | null } = { seconds: null };
  const work = async ({ signal, progress }: Work): Promise<StageOutput> => {
    const { operation } = stageOf(data, ref.stage);
    if (operation === undefined) throw new Failure('invalid_pipeline', 'The stage names no operation');
    const principal = await currentPrincipal(deps.db, data.run);
    const requestId = delegatedRequestId(ref);
    const input = await resolved(deps, data, ref, 'input');
    const result = await operate({
      operation,
      principal,
      input,
      requestId,
      // A try that is repeated after a crash leads to what it began; a new try begins anew.
      idempotencyKey: requestId,
      signal,
      report: (done, total) => progress(total > 0 ? done / total : 0),
    }).catch((error: unknown) => {
      const isLimit = error instanceof Failure && error.code === 'too_many_requests';
      if (isLimit) refused.seconds = error.retryAfterSeconds ?? 1;
      throw error;
    });
    return outputFrom(deps, result as Json, prefixOf(data.run, ref.stage, ref.item));
  };
  try {
    await tryStage(deps, ref, timeoutOf(deps, data, ref.stage), work, await putOffs(deps.db, ref));
  } catch (error) {
    const { seconds } = refused;
    if (seconds === null || !(error instanceof ApplicationFailure) || error.type !== 'too_many_requests') throw error;
    await putOff(deps, ref, error.message);
    throw ApplicationFailure.create({
      type: error.type,
      message: error.message,
      nextRetryDelay: retryDelayMs(seconds),
    });
  }
}

async function putOff(deps: Deps, ref: StageRef, why: string): Promise<void> {
  await deps.db.transaction().execute(async (trx) => {
    await lockRun(trx, ref);
    await notePutOff(trx, ref);
    await setStage(trx, ref, { status: 'running', reason: `put off by a rate limit: ${why}`, error: null });
  });
}

/** What somebody answered, as the output of a stage: in the summary when it is small, else as an artifact. */
export async function outputFrom(deps: Deps, result: Json | undefined, prefix: string): Promise<StageOutput> {
  const plain = (result ?? null) as Json;
  const summary = typeof plain === 'object' && plain !== null && !Array.isArray(plain) ? plain : { value: plain };
  const text = JSON.stringify(summary);
  const artifacts: ArtifactRef[] = [];
  if (Buffer.byteLength(text) <= MAX_SUMMARY_BYTES) return { dataset: null, artifacts, summary };
  artifacts.push(await artifactOf(deps, { name: 'result.json', prefix, media_type: 'application/json', text }));
  return { dataset: null, artifacts, summary: { truncated: true, bytes: Buffer.byteLength(text) } };
}
