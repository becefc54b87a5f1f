/** Brings the pipeline of a file to the API: the one of its name is reused, gets a new version, or is made. */
import { z } from 'zod';
import { pageOf } from '../schema/files.ts';
import type { Json, JsonObject } from '../schema/json.ts';
import { PipelineCreated, PipelineSummary, PipelineView } from '../schema/pipeline-views.ts';
import { PipelineDefinition } from '../schema/pipelines.ts';
import type { Api } from './api.ts';

export interface Synced {
  pipeline_id: string;
  name: string;
  version: number;
  how: 'created' | 'updated' | 'unchanged';
}

const PATH = '/api/v1/pipelines';
const PAGES_SEARCHED = 10;

/**
 * The caller's own pipeline of the same name stands for the file: equal, it is used as it is; different, it gets a new
 * version (runs keep theirs); absent, it is created. Of several of one name the last changed counts. Throws CliError.
 */
export async function syncPipeline(api: Api, definition: JsonObject): Promise<Synced> {
  const named = PipelineDefinition.shape.name.safeParse(definition.name);
  // A name that cannot be is the API's to refuse, with all other faults.
  const there = named.success ? await findOwn(api, named.data) : undefined;
  if (!there) {
    const { pipeline_id, name, version } = await api.call(PipelineCreated, 'POST', PATH, { body: definition });
    return { pipeline_id, name, version, how: 'created' };
  }
  const path = `${PATH}/${encodeURIComponent(there.pipeline_id)}`;
  const current = await api.call(PipelineView, 'GET', path);
  if (sameDefinition(current, definition)) {
    const { pipeline_id, name, version } = current;
    return { pipeline_id, name, version, how: 'unchanged' };
  }
  const { pipeline_id, name, version } = await api.call(PipelineCreated, 'PUT', path, { body: definition });
  return { pipeline_id, name, version, how: 'updated' };
}

async function findOwn(api: Api, name: string): Promise<z.output<typeof PipelineSummary> | undefined> {
  const { id } = await api.call(z.object({ id: z.string() }), 'GET', '/api/v1/whoami');
  const found: z.output<typeof PipelineSummary>[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < PAGES_SEARCHED; page++) {
    const { items, next_cursor } = await api.call(pageOf(PipelineSummary), 'GET', PATH, {
      query: { name, limit: 200, cursor },
    });
    found.push(...items.filter((item) => item.name === name && item.owner === id));
    if (next_cursor === null) break;
    cursor = next_cursor;
  }
  return found.sort((a, b) => Date.parse(b.updated_at) - Date.parse(a.updated_at))[0];
}

/** Whether both say the same once what they leave out is filled in; the order of keys means nothing. */
export function sameDefinition(current: z.output<typeof PipelineView>, definition: JsonObject): boolean {
  const { name, description, stages, dependencies } = current;
  const there = PipelineDefinition.safeParse({ name, description, stages, dependencies });
  const here = PipelineDefinition.safeParse(definition);
  return there.success && here.success && canonical(there.data as Json) === canonical(here.data as Json);
}

function canonical(value: Json): string {
  return JSON.stringify(value, (_key, part: Json) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
