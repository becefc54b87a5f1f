/** `ostinato pipelines …`: definitions of pipelines; their runs have a file of their own. */
import type { Command } from 'commander';
import { z } from 'zod';
import { PipelineChecked, PipelineCreated, PipelineSummary, PipelineView } from '../../schema/pipeline-views.ts';
import { PipelineDefinition } from '../../schema/pipelines.ts';
import type { Act, CliContext } from '../context.ts';
import { CliError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { ObjectFile } from '../object-file.ts';
import { addPaging, type PageOptions, showPages } from '../pages.ts';
import { definitionOf, faulty, tellFaults, withFaults } from '../pipeline-faults.ts';
import { readPipelineFile } from '../pipeline-file.ts';
import { PIPELINE_HELP, PIPELINES, pipelineId } from '../pipeline-ids.ts';
import { clean } from '../text.ts';
import { pipelineColumns, plannedColumns } from '../views/pipeline.ts';
import { addRuns } from './pipeline-runs.ts';

const FILE_HELP = 'YAML or JSON, at most 60 KiB';

interface ListOptions extends PageOptions {
  name?: string;
}

export function addPipelines(program: Command, act: Act): void {
  const pipelines = program
    .command('pipelines')
    .summary('list, write, check and run pipelines')
    .description('Pipelines: stages that depend on each other, and their runs.');
  addPaging(pipelines.command('list', { isDefault: true }).summary('pipelines, newest first'))
    .option('--name <name>', 'only those of exactly this name')
    .action((options: ListOptions, command: Command) => act(command, (context) => list(context, options)));
  pipelines
    .command('show')
    .summary('one pipeline with its stages')
    .argument('<pipeline>', PIPELINE_HELP)
    .action((id: string, _options: object, command: Command) => act(command, (context) => show(context, id)));
  pipelines
    .command('create')
    .summary('a new pipeline from a file')
    .argument('<file>', FILE_HELP)
    .action((path: string, _options: object, command: Command) => act(command, (context) => create(context, path)));
  pipelines
    .command('update')
    .summary('a new version from a file; runs keep theirs')
    .argument('<pipeline>', PIPELINE_HELP)
    .argument('<file>', FILE_HELP)
    .action((id: string, path: string, _options: object, command: Command) =>
      act(command, (context) => update(context, id, path)),
    );
  pipelines
    .command('remove')
    .summary('delete a pipeline that no run is live of')
    .argument('<pipeline>', PIPELINE_HELP)
    .action((id: string, _options: object, command: Command) => act(command, (context) => remove(context, id)));
  pipelines
    .command('validate')
    .summary('tell every fault of a file with its line and column')
    .description(
      'Checks FILE: its syntax and form here, all else by the API. Exit code 0: no fault; 2: faults; 3: the API, which knows the rest, could not be asked.',
    )
    .argument('<file>', FILE_HELP)
    .option('--offline', 'syntax and form only, without the API')
    .action((path: string, options: { offline?: boolean }, command: Command) =>
      act(command, (context) => validate(context, path, options.offline === true)),
    );
  addRuns(pipelines, act);
}

async function list(context: CliContext, { name, ...options }: ListOptions): Promise<undefined> {
  const { out } = context;
  await showPages(context, { item: PipelineSummary, path: PIPELINES, query: { name }, options }, (items, first) => {
    for (const item of items) out.line('pipeline', item);
    const none = name === undefined ? 'No pipelines.' : `No pipeline is named ${clean(name)}.`;
    if (first && items.length === 0) out.say(`${none} Make one: ostinato pipelines create FILE`);
    else out.table(pipelineColumns(out), items);
  });
}

async function show(context: CliContext, given: string): Promise<undefined> {
  const { out } = context;
  const api = context.api();
  const pipeline = await api.call(PipelineView, 'GET', `${PIPELINES}/${await pipelineId(api, given)}`);
  out.line('pipeline', pipeline);
  out.fields([
    ['pipeline', pipeline.pipeline_id],
    ['name', clean(pipeline.name)],
    ...(pipeline.description ? [['description', clean(pipeline.description)] as [string, string]] : []),
    ['version', String(pipeline.version)],
    ['owner', clean(pipeline.owner)],
    ['created', out.time(pipeline.created_at)],
    ['updated', out.time(pipeline.updated_at)],
  ]);
  out.say();
  out.table(plannedColumns(pipeline), pipeline.stages);
}

async function create(context: CliContext, path: string): Promise<undefined> {
  const { out } = context;
  const file = await readPipelineFile(path);
  const body = definitionOf(context, file);
  const api = context.api();
  const created = await withFaults(context, file, () => api.call(PipelineCreated, 'POST', PIPELINES, { body }));
  out.line('pipeline_created', created);
  out.say(`${out.style('green', 'Created')} ${clean(created.name)}, version ${created.version}`);
  out.say(created.pipeline_id);
  out.say(out.style('dim', `Run it: ostinato pipelines run ${created.pipeline_id} --watch`));
}

async function update(context: CliContext, given: string, path: string): Promise<undefined> {
  const { out } = context;
  const file = await readPipelineFile(path);
  const body = definitionOf(context, file);
  const api = context.api();
  const where = `${PIPELINES}/${await pipelineId(api, given)}`;
  const updated = await withFaults(context, file, () => api.call(PipelineCreated, 'PUT', where, { body }));
  out.line('pipeline_updated', updated);
  out.say(`${clean(updated.name)} is at version ${updated.version}`);
}

async function remove(context: CliContext, given: string): Promise<undefined> {
  const { out } = context;
  const api = context.api();
  const id = await pipelineId(api, given);
  const answer = await api.call(z.object({ pipeline_id: z.string() }), 'DELETE', `${PIPELINES}/${id}`);
  out.line('pipeline_removed', answer);
  out.say(`Removed ${answer.pipeline_id}`);
}

async function validate(context: CliContext, path: string, offline: boolean): Promise<ExitCode> {
  const { out } = context;
  const file = await readPipelineFile(path);
  const body = definitionOf(context, file);
  if (offline) return checkHere(context, file, 'as asked');
  try {
    const { valid, errors } = await context.api().call(PipelineChecked, 'POST', `${PIPELINES}/validate`, { body });
    const faults = file.place(errors);
    tellFaults(context, file, faults);
    if (!valid) throw faulty(file, faults.length);
  } catch (error) {
    if (!(error instanceof CliError) || error.exit !== EXIT.unreachable) throw error;
    checkHere(context, file, error.message);
    return EXIT.unreachable;
  }
  out.line('valid', { file: path, api_asked: true });
  out.say(`${path}: ${out.style('green', 'valid')}`);
  return EXIT.ok;
}

/** What can be said without the API: the form of each field. Throws CliError (2) when there are faults. */
function checkHere(context: CliContext, file: ObjectFile, why: string): ExitCode {
  const { out } = context;
  const parsed = PipelineDefinition.safeParse(file.value);
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message }));
    const faults = file.place(issues);
    tellFaults(context, file, faults);
    throw faulty(file, faults.length);
  }
  out.line('valid', { file: file.path, api_asked: false });
  out.say(`${file.path}: syntax and form are fine`);
  out.note(`The API was not asked (${why}): cycles, expressions and configurations are not checked.`);
  return EXIT.ok;
}
