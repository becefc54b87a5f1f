/** `pipelines.*`: definitions and their versions. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: how templates of pipelines are written
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { visibleOwners } from '../../schema/access.ts';
import { Failure } from '../../schema/failures.ts';
import { PageQuery, pageOf } from '../../schema/files.ts';
import { isStorable } from '../../schema/json.ts';
import { PipelineChecked, PipelineCreated, PipelineSummary, PipelineView } from '../../schema/pipeline-views.ts';
import { PipelineDefinition, PipelineId, STORABLE } from '../../schema/pipelines.ts';
import { checkedDefinition, definitionFaults } from '../../services/pipelines/check.ts';
import { changeablePipeline, grantedIds, visiblePipeline } from '../../services/pipelines/lookup.ts';
import { pipelineLinks, pipelineSummary } from '../../services/pipelines/views.ts';
import { addVersion, deletePipeline, findDefinition, insertPipeline, listPipelines } from '../../stores/pipelines.ts';
import { type AnyOperation, type Call, defineOperation } from '../contract.ts';

/** Taken as it comes, so that every fault of it is named at once; OpenAPI tells the exact shape. */
const Draft = z.looseObject({
  name: z.unknown().meta({ type: 'string' }),
  description: z.unknown().optional().meta({ type: 'string' }),
  stages: z.unknown().meta({
    type: 'array',
    items: { type: 'object' },
    description:
      '1 to 50 of {name, type, required?, timeout?, config?, when?, on_failure?, for_each?, retry?, approval?, executor?, capabilities?, operation?, input?}; type is data-ingestion, transformation, analysis, validation, processing, output or operation',
  }),
  dependencies: z
    .unknown()
    .optional()
    .meta({ type: 'array', items: { type: 'object' }, description: '{from, to}: indexes of stages, from 0' }),
});
export const PipelineRef = z.object({ pipeline_id: PipelineId.describe('id of the pipeline') });

/** `operates`: whether a stage can run the operation of this name. */
export function definitionOperations(operates: (name: string) => boolean): AnyOperation[] {
  const optionsOf = ({ deps }: Call) => ({ operates, maxTimeout: deps.config.TASK_TIMEOUT });

  const create = defineOperation({
    name: 'pipelines.create',
    summary: 'Create a pipeline; refused with every fault when it cannot run',
    room: 'pipelines',
    permission: 'pipelines:write',
    input: Draft,
    output: PipelineCreated,
    http: { method: 'post', path: '/api/v1/pipelines', status: 201, form: PipelineDefinition, tag: 'pipelines' },
    mcp: {
      tool: 'create_pipeline',
      title: 'Create a pipeline',
      description:
        'Creates a pipeline: stages of six built-in types or operations, and dependencies between their indexes. Text in config and input may hold templates such as ${parameters.n} or ${stages.clean.output.rows}; when is a CEL condition. Answers with pipeline_id, or with every fault and its path. Run it with execute_pipeline.',
      readOnly: false,
      destructive: false,
      idempotent: false,
      openWorld: false,
      listed: true,
    },
    failures: ['invalid_pipeline', 'unavailable'],
    audited: true,
    async run(call, raw) {
      const definition = checkedDefinition(raw, optionsOf(call));
      const pipeline_id = randomUUID();
      await call.deps.db
        .transaction()
        .execute((trx) => insertPipeline(trx, { pipeline_id, owner: call.principal.id, definition }));
      return { pipeline_id, name: definition.name, version: 1, links: pipelineLinks(pipeline_id) };
    },
  });

  const update = defineOperation({
    name: 'pipelines.update',
    summary: 'Make a new version of a pipeline; runs keep theirs',
    room: 'pipelines',
    permission: 'pipelines:write',
    input: Draft.extend(PipelineRef.shape),
    output: PipelineCreated,
    http: {
      method: 'put',
      path: '/api/v1/pipelines/{pipeline_id}',
      form: PipelineDefinition.extend(PipelineRef.shape),
      tag: 'pipelines',
    },
    failures: ['invalid_pipeline', 'not_found', 'unavailable'],
    audited: true,
    async run(call, { pipeline_id, ...raw }) {
      const { deps, principal } = call;
      await changeablePipeline(deps, principal, pipeline_id);
      const definition = checkedDefinition(raw, optionsOf(call));
      const version = await deps.db
        .transaction()
        .execute((trx) => addVersion(trx, { pipeline_id, definition, created_by: principal.id }));
      return { pipeline_id, name: definition.name, version, links: pipelineLinks(pipeline_id) };
    },
  });

  const validate = defineOperation({
    name: 'pipelines.validate',
    summary: 'Check a pipeline and name every fault; nothing is stored',
    room: 'pipelines',
    permission: 'pipelines:read',
    input: Draft,
    output: PipelineChecked,
    http: { method: 'post', path: '/api/v1/pipelines/validate', form: PipelineDefinition, tag: 'pipelines' },
    failures: [],
    audited: false,
    async run(call, raw) {
      const errors = definitionFaults(raw, optionsOf(call));
      return { valid: errors.length === 0, errors };
    },
  });

  return [create, update, validate];
}

const get = defineOperation({
  name: 'pipelines.get',
  summary: 'One pipeline with its stages, of the newest version or an older one',
  room: 'pipelines',
  permission: 'pipelines:read',
  input: PipelineRef.extend({ version: z.coerce.number().int().min(1).optional() }),
  output: PipelineView,
  http: { method: 'get', path: '/api/v1/pipelines/{pipeline_id}', tag: 'pipelines' },
  failures: ['not_found', 'unavailable'],
  audited: false,
  async run({ deps, principal }, { pipeline_id, version }) {
    const row = await visiblePipeline(deps, principal, pipeline_id);
    const wanted = version ?? row.version;
    const definition = await findDefinition(deps.db, { pipeline_id, version: wanted });
    if (!definition) throw new Failure('not_found', `Pipeline ${pipeline_id} has no version ${wanted}`);
    return { ...pipelineSummary(row), ...definition, version: wanted, links: pipelineLinks(pipeline_id) };
  },
});

const list = defineOperation({
  name: 'pipelines.list',
  summary: 'Pipelines, newest first',
  room: 'pipelines',
  permission: 'pipelines:read',
  input: z.object({
    name: PipelineDefinition.shape.name
      .refine(isStorable, STORABLE)
      .optional()
      .describe('those of exactly this name; several may have it'),
    ...PageQuery,
  }),
  output: pageOf(PipelineSummary),
  http: { method: 'get', path: '/api/v1/pipelines', tag: 'pipelines' },
  failures: ['unavailable'],
  audited: false,
  async run({ deps, principal }, input) {
    const page = await listPipelines(deps.db, {
      ...input,
      owners: visibleOwners(principal),
      granted: grantedIds(principal, 'pipeline'),
    });
    return { ...page, items: page.items.map(pipelineSummary) };
  },
});

const remove = defineOperation({
  name: 'pipelines.delete',
  summary: 'Delete a pipeline that no run is live of; what its runs made stays until they go',
  room: 'pipelines',
  permission: 'pipelines:write',
  input: PipelineRef,
  output: PipelineRef,
  http: { method: 'delete', path: '/api/v1/pipelines/{pipeline_id}', tag: 'pipelines' },
  failures: ['not_found', 'conflict', 'unavailable'],
  audited: true,
  async run({ deps, principal }, { pipeline_id }) {
    await changeablePipeline(deps, principal, pipeline_id);
    await deps.db.transaction().execute((trx) => deletePipeline(trx, pipeline_id));
    return { pipeline_id };
  },
});

export const pipelineReads: AnyOperation[] = [get, list, remove];
