/** Runs of pipelines and their artifacts as MCP resources. */
import type { Deps } from '../deps.ts';
import type { ResourcesService } from '../mcp/contract.ts';
import { mayDo } from '../schema/access.ts';
import { Failure } from '../schema/failures.ts';
import { ARTIFACT_TEMPLATE, parseRunUri, RUN_TEMPLATE, runUri } from '../schema/run-uris.ts';
import type { ArtifactRef } from '../schema/stages/contract.ts';
import { listPipelineRuns } from '../stores/pipeline-runs.ts';
import { stagesOf } from '../stores/pipeline-stages.ts';
import { visibleRunOf, visibleRuns } from './pipelines/lookup.ts';
import { artifactsOf, artifactView, runView } from './pipelines/views.ts';

/** Runs that are listed: the newest; any other is read by its address. */
const LISTED = 10;
/** Bytes that are handed over as they are; of more there is a link. */
const MOST_TEXT = 256 * 1024;
const MOST_BINARY = 512 * 1024;
const TEXT = /^(text\/|application\/(json|x-ndjson|xml|yaml|sql)\b|image\/svg\+xml\b)/;

const PERMISSION = 'pipelines:read';

export function runResources(deps: Deps): Required<ResourcesService> {
  return {
    async list(principal) {
      if (!mayDo(principal, PERMISSION)) return [];
      const { items } = await listPipelineRuns(deps.db, { ...visibleRuns(principal), limit: LISTED });
      return items.map(({ run_id, status, created_at }) => ({
        uri: runUri(run_id),
        name: `run ${run_id}`,
        description: `A run of a pipeline, ${status}, asked for ${created_at.toISOString()}`,
        mimeType: 'application/json',
      }));
    },
    async templates(principal) {
      if (!mayDo(principal, PERMISSION)) return [];
      return [
        {
          uriTemplate: RUN_TEMPLATE,
          name: 'run',
          title: 'Run of a pipeline',
          description: 'Its stages, attempts, times, progress, errors, and what waits for approval',
          mimeType: 'application/json',
        },
        {
          uriTemplate: ARTIFACT_TEMPLATE,
          name: 'artifact',
          title: 'Artifact of a run',
          description: 'A file that a stage made, by the name its run gives; of a large one a link',
        },
      ];
    },
    async read(principal, uri) {
      const named = parseRunUri(uri);
      if (!named || !mayDo(principal, PERMISSION)) return null;
      const run = await unlessUnseen(() => visibleRunOf(deps, principal, named.runId));
      if (!run) return null;
      if (named.artifact === null) {
        return { uri, mimeType: 'application/json', text: JSON.stringify(await runView(deps, run)) };
      }
      const found = artifactsOf(await stagesOf(deps.db, run.run_id)).find(({ name }) => name === named.artifact);
      return found ? readArtifact(deps, uri, { ...found, runId: run.run_id }) : null;
    },
  };
}

type Contents = { uri: string; mimeType: string } & ({ text: string } | { blob: string });

interface Found {
  runId: string;
  name: string;
  stage: string;
  ref: ArtifactRef;
}

/** Text as text, other small things in base64, large ones as where to get them. */
async function readArtifact(deps: Deps, uri: string, found: Found): Promise<Contents | null> {
  const { key, media_type: mimeType, bytes } = found.ref;
  if (bytes > (TEXT.test(mimeType) ? MOST_TEXT : MOST_BINARY)) {
    const { links, ...facts } = artifactView(found.runId, found);
    const told = { ...facts, too_large_to_read_here: true, download: deps.config.publicUrl + links.download };
    return { uri, mimeType: 'application/json', text: JSON.stringify(told) };
  }
  const body = await unlessUnseen(() => deps.objects.get(key));
  if (!body) return null;
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  const content = Buffer.concat(chunks);
  const text = TEXT.test(mimeType) ? utf8(content) : null;
  return text === null ? { uri, mimeType, blob: content.toString('base64') } : { uri, mimeType, text };
}

function utf8(bytes: Buffer): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** What may not be seen is as unknown as what never was. */
async function unlessUnseen<T>(look: () => Promise<T>): Promise<T | null> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof Failure && error.code === 'not_found') return null;
    throw error;
  }
}
