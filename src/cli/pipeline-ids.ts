/** Ids of pipelines and of their runs as people type them. */
import { WORKFLOWS } from '../schema/names.ts';
import { PipelineSummary } from '../schema/pipeline-views.ts';
import { WorkflowView } from '../schema/workflows.ts';
import type { Api } from './api.ts';
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

/** Looked up among the newest runs of all pipelines: they are what the workflows work on. */
export function runId(api: Api, given: string): Promise<string> {
  return resolveId(api, given, {
    noun: 'run',
    path: '/api/v1/workflows',
    item: WorkflowView,
    query: { type: WORKFLOWS.runPipeline },
    idOf: ({ resource }) => (resource?.startsWith('run:') ? resource.slice('run:'.length) : undefined),
    listing: 'ostinato pipelines runs PIPELINE',
  });
}
