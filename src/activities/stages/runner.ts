/** Does the work of built-in stages: checks the request, makes a workspace, runs the type, and takes everything away again. */
import { Failure } from '../../schema/failures.ts';
import type { TaskType } from '../../schema/names.ts';
import type { StageOutput, StageRequest, StageRunner } from '../../schema/stages/contract.ts';
import { STAGE_CONFIGS, stageFaults } from '../../schema/stages/index.ts';
import { toFailure } from '../../schema/unknown-error.ts';
import { analyse } from './analysis/run.ts';
import { createEnginePool, type EnginePool } from './engine/pool.ts';
import { ingest } from './ingestion/run.ts';
import { checkOutput, type Job, type Stage, type StageDeps } from './job.ts';
import { output } from './output/run.ts';
import { processBatches } from './processing/run.ts';
import { transform } from './transformation/run.ts';
import { validate } from './validation/run.ts';
import { createWorkspace, sweepWorkspaces } from './workspace.ts';

export type { StageRunner } from '../../schema/stages/contract.ts';

/** Each takes the configuration of its own type, which the schema of that type has parsed. */
const STAGES: Record<TaskType, Stage<never>> = {
  'data-ingestion': ingest as Stage<never>,
  transformation: transform as Stage<never>,
  analysis: analyse as Stage<never>,
  validation: validate as Stage<never>,
  processing: processBatches as Stage<never>,
  output: output as Stage<never>,
};

/** A runner and the engines behind it; batches of agents use them too. */
export interface StageEngines extends StageRunner {
  readonly engines: EnginePool;
}

/** Also removes what runners of ended processes left in the data folder. */
export function createStageRunner(deps: StageDeps): StageEngines {
  const engines = createEnginePool(deps.config);
  void sweepWorkspaces(deps).catch(() => undefined);
  return {
    engines,
    run: (request, options) => runStage(deps, engines, request, options),
    close: () => engines.close(),
  };
}

type Options = Parameters<StageRunner['run']>[1];

async function runStage(
  deps: StageDeps,
  engines: EnginePool,
  request: StageRequest,
  options: Options,
): Promise<StageOutput> {
  const config = configOf(request);
  return inWorkspace(deps, engines, request, options, async (job) => {
    const standAlone = await readFirst(job, config);
    const stage = STAGES[request.type] as Stage<unknown>;
    return checkOutput(await stage({ ...standAlone, config }));
  });
}

/** Runs `work` with a job whose time is limited, and turns whatever it throws into a Failure. */
export async function inWorkspace<T>(
  deps: StageDeps,
  engines: EnginePool,
  request: StageRequest,
  options: Options,
  work: (job: Job<unknown>) => Promise<T>,
): Promise<T> {
  const late = new Failure('timeout', `The stage took longer than ${request.timeout_seconds} s`);
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(late), request.timeout_seconds * 1_000);
  const signal = AbortSignal.any([options.signal, deadline.signal]);
  let told = 0;
  let reached = 0;
  // A stage names how far it is; in between, the engine says how far its statement is, which is a part of the rest.
  const progress = (given: number, message: string) => {
    if (message !== '') reached = Math.max(reached, given);
    const share = message === '' ? reached + 0.9 * (1 - reached) * given : given;
    told = Math.max(told, Math.min(1, share));
    options.progress(told, message);
  };
  const workspace = await createWorkspace(deps, signal);
  try {
    return await work({ deps, request, config: request.config, workspace, engines, signal, progress });
  } catch (error) {
    // A caller that cancels gets its own reason back; it says more than what broke by it.
    if (options.signal.aborted) throw options.signal.reason;
    if (deadline.signal.aborted) throw late;
    throw toFailure(error);
  } finally {
    clearTimeout(timer);
    await workspace.remove();
  }
}

function configOf(request: StageRequest): unknown {
  const faults = stageFaults(request.type, request.config);
  if (faults.length > 0) {
    const words = faults.map(({ path, message }) => `${path || 'the configuration'} ${message}`).join('; ');
    throw new Failure('invalid_input', words, { faults });
  }
  return STAGE_CONFIGS[request.type].parse(request.config);
}

/** A task that stands alone names its data itself: it is read first, as `data-ingestion` would. */
async function readFirst(job: Job<unknown>, config: unknown): Promise<Job<unknown>> {
  const { request } = job;
  if (request.type === 'data-ingestion' || request.inputs.length > 0) return job;
  const { data_source, parameters } = config as { data_source?: string; parameters?: StageRequest['parameters'] };
  const source = data_source ?? request.input_data?.source;
  if (source === undefined && request.input_data?.rows === undefined) return job;
  const read = {
    ...job,
    request: { ...request, type: 'data-ingestion' as const, prefix: `${request.prefix}source/` },
    config: STAGE_CONFIGS['data-ingestion'].parse({
      ...(data_source === undefined ? {} : { data_source }),
      ...(parameters === undefined ? {} : { parameters }),
    }),
  };
  const { dataset } = await ingest(read);
  if (!dataset) return job;
  return { ...job, request: { ...request, inputs: [{ name: 'source', dataset }] } };
}
