/** `runs.artifacts` and `runs.artifact`: what a run left behind, as a list and as bytes. */
import { z } from 'zod';
import { Failure } from '../../schema/failures.ts';
import { ArtifactView } from '../../schema/pipeline-views.ts';
import { visibleRunOf } from '../../services/pipelines/lookup.ts';
import { artifactsOf, artifactView } from '../../services/pipelines/views.ts';
import { stagesOf } from '../../stores/pipeline-stages.ts';
import { type AnyOperation, type Download, defineOperation } from '../contract.ts';
import { RunIdRef } from './runs.ts';

const list = defineOperation({
  name: 'runs.artifacts',
  summary: 'What a run left behind: tables, files, reports, rejected rows',
  room: 'pipelines',
  permission: 'pipelines:read',
  input: RunIdRef,
  output: z.object({ artifacts: z.array(ArtifactView) }),
  http: { method: 'get', path: '/api/v1/pipeline-runs/{run_id}/artifacts', tag: 'pipelines' },
  failures: ['not_found', 'unavailable'],
  audited: false,
  async run({ deps, principal }, { run_id }) {
    await visibleRunOf(deps, principal, run_id);
    const found = artifactsOf(await stagesOf(deps.db, run_id));
    return { artifacts: found.map((artifact) => artifactView(run_id, artifact)) };
  },
});

const download = defineOperation({
  name: 'runs.artifact',
  summary: 'The bytes of one artifact',
  room: 'pipelines',
  permission: 'pipelines:read',
  input: RunIdRef.extend({
    name: z.string().min(1).max(500).describe('as the list names it; its slashes may be encoded or not'),
  }),
  output: z.custom<Download>(),
  http: {
    method: 'get',
    path: '/api/v1/pipeline-runs/{run_id}/artifacts/{name}',
    rest: 'name',
    answer: 'download',
    tag: 'pipelines',
  },
  failures: ['not_found', 'unavailable'],
  audited: false,
  async run({ deps, principal }, { run_id, name }) {
    await visibleRunOf(deps, principal, run_id);
    const found = artifactsOf(await stagesOf(deps.db, run_id)).find((artifact) => artifact.name === name);
    const stat = found && (await deps.objects.stat(found.ref.key));
    if (!found || !stat) throw new Failure('not_found', `Run ${run_id} has no artifact ${name}`);
    const { media_type, sha256, key } = found.ref;
    const filename = name.split('/').at(-1) ?? name;
    return { filename, media_type, sha256, bytes: stat.size, body: await deps.objects.get(key) };
  },
});

export const artifactOperations: AnyOperation[] = [list, download];
