/** Ids of pipelines and of their runs as people type them. */
import { PipelineSummary, RunSummary } from '../schema/pipeline-views.ts';
import type { Api } from './api.ts';
import { CliError } from './errors.ts';
import { resolveId } from './resolve.ts';

export const PIPELINES = '/api/v1/pipelines';
export const RUNS = '/api/v1/pipeline-runs';
export const PIPELINE_HELP = 'id of the pipeline, or its first 4 or more characters';

export function pipelineId(api: Api, given: string): Promise<string> {
  return resolveId(api, given, {
    noun: 'pipeline',
    path: PIPELINES,
    item: PipelineSummary,
    idOf: (pipeline) => pipeline.pipeline_id,
  });
}

export function runId(api: Api, given: string): Promise<string> {
  return resolveId(api, given, {
    noun: 'run',
    path: RUNS,
    item: RunSummary,
    idOf: (run) => run.run_id,
    listing: 'ostinato pipelines runs',
  });
}

/** What people call a pipeline; one that is gone, or hidden from the caller, goes by the first part of its id. */
export async function pipelineName(api: Api, id: string): Promise<string> {
  try {
    return (await api.call(PipelineSummary, 'GET', `${PIPELINES}/${encodeURIComponent(id)}`)).name;
  } catch (error) {
    if (error instanceof CliError) return `pipeline ${id.slice(0, 8)}`;
    throw error;
  }
}
