/** `ostinato pipelines run|runs|status|pause|resume|cancel|retry|artifacts`: runs of pipelines. */
import { existsSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { z } from 'zod';
import type { JsonObject } from '../../schema/json.ts';
import { PIPELINE_RUN_STATUSES } from '../../schema/names.ts';
import { ArtifactView, RunStarted, RunSummary, RunView } from '../../schema/pipeline-views.ts';
import { downloadArtifact } from '../artifacts.ts';
import type { Act, CliContext } from '../context.ts';
import { CliError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { parseValuePair, readObjectOf } from '../json-values.ts';
import { addPaging, type PageOptions, showPages } from '../pages.ts';
import { definitionOf, withFaults } from '../pipeline-faults.ts';
import { readPipelineFile } from '../pipeline-file.ts';
import { PIPELINE_HELP, PIPELINES, pipelineId, pipelineName, RUNS, runId } from '../pipeline-ids.ts';
import { syncPipeline } from '../pipeline-sync.ts';
import { showRun } from '../run-progress.ts';
import { clean, formatBytes } from '../text.ts';
import { approvalLines, artifactColumns, runColumns, runFields, runSummary, stageColumns } from '../views/pipeline.ts';
import { watchRun } from '../watch-run.ts';

const Artifacts = z.object({ artifacts: z.array(ArtifactView) });
const RUN_HELP = 'id of the run, or its first 4 or more characters';

interface RunOptions {
  input?: JsonObject;
  inputFile?: string;
  param?: JsonObject;
  webhook?: string;
  email?: string;
  idempotencyKey?: string;
  watch?: boolean;
}

/** `watchable`: the run goes on afterwards. */
const CONTROLS = [
  { verb: 'pause', summary: 'let running stages end and start no others', watchable: false },
  { verb: 'resume', summary: 'go on with a paused run', watchable: true },
  { verb: 'cancel', summary: 'stop a run', watchable: false },
  { verb: 'retry', summary: 'go on from the failed stage with the outputs of the finished ones', watchable: true },
] as const;
const WATCH_HELP = 'stay and show its stages until it is over; exit code 1 when it failed';

export function addRuns(pipelines: Command, act: Act): void {
  pipelines
    .command('run')
    .summary('run a pipeline: one that is there, or that of a file')
    .description(
      'Runs the pipeline of this id, or the one in FILE. Your own pipeline of the name in FILE is used as it is when it says the same, and gets a new version when it does not; else it is created.',
    )
    .argument('<file|pipeline>', `YAML or JSON file, or ${PIPELINE_HELP}`)
    .option('-i, --input <key=value>', 'field of the input data (JSON, else text); may be repeated', parseValuePair)
    .option('--input-file <file>', 'input data as JSON or YAML; --input goes over it')
    .option('-p, --param <key=value>', 'a parameter of this run (JSON, else text); may be repeated', parseValuePair)
    .option('--webhook <address>', 'gets a signed POST when it ends or waits for an approval')
    .option('--email <address>', 'gets a mail then')
    .option('--idempotency-key <key>', 'a repeat with the same key leads to the same run')
    .option('-w, --watch', WATCH_HELP)
    .action((target: string, options: RunOptions, command: Command) =>
      act(command, (context) => run(context, target, options)),
    );
  addPaging(pipelines.command('runs').summary('runs of one pipeline or of all, newest first'))
    .argument('[pipeline]', PIPELINE_HELP)
    .addOption(new Option('--status <status>', 'only these').choices(PIPELINE_RUN_STATUSES))
    .action((id: string | undefined, options: PageOptions & { status?: string }, command: Command) =>
      act(command, (context) => runs(context, id, options)),
    );
  pipelines
    .command('status')
    .summary('one run with its stages')
    .argument('<run>', RUN_HELP)
    .option('-w, --watch', WATCH_HELP)
    .action((id: string, options: { watch?: boolean }, command: Command) =>
      act(command, (context) => status(context, id, options.watch === true)),
    );
  for (const { verb, summary, watchable } of CONTROLS) {
    const command = pipelines.command(verb).summary(summary).argument('<run>', RUN_HELP);
    if (watchable) command.option('-w, --watch', WATCH_HELP);
    command.action((id: string, options: { watch?: boolean }, self: Command) =>
      act(self, (context) => control(context, verb, id, options.watch === true)),
    );
  }
  pipelines
    .command('artifacts')
    .summary('files that a run made')
    .argument('<run>', RUN_HELP)
    .option('-d, --download <folder>', 'store them all below this folder')
    .action((id: string, options: { download?: string }, command: Command) =>
      act(command, (context) => artifacts(context, id, options.download)),
    );
}

async function run(context: CliContext, target: string, options: RunOptions): Promise<ExitCode> {
  const { out } = context;
  const execution = await executionOf(options);
  const { pipeline_id, ...version } = isFile(target)
    ? await fromFile(context, target)
    : { pipeline_id: await pipelineId(context.api(), target) };
  const where = `${PIPELINES}/${encodeURIComponent(pipeline_id)}/execute`;
  const body = { ...execution, ...version };
  const started = await context.api().call(RunStarted, 'POST', where, { body, idempotencyKey: options.idempotencyKey });
  out.line('run_started', started);
  if (options.watch) return follow(context, started.run_id);
  out.say(out.style('green', 'Started'));
  out.fields([
    ['run', started.run_id],
    ['workflow', started.workflow_id],
    ['web ui', clean(started.links.ui)],
  ]);
  out.say(out.style('dim', `Look: ostinato pipelines status ${started.run_id} --watch`));
  return EXIT.ok;
}

/** Files have one of these endings, or are there. */
function isFile(target: string): boolean {
  return /\.(ya?ml|json)$/i.test(target) || existsSync(target);
}

/** With the version that says what the file says, whatever becomes the newest meanwhile. */
async function fromFile(context: CliContext, path: string): Promise<{ pipeline_id: string; version: number }> {
  const { out } = context;
  const file = await readPipelineFile(path);
  const definition = definitionOf(context, file);
  const api = context.api();
  const synced = await withFaults(context, file, () => syncPipeline(api, definition));
  out.line('pipeline', synced);
  const said = { created: 'created', updated: 'changed', unchanged: 'unchanged' }[synced.how];
  out.say(out.style('dim', `${clean(synced.name)}: ${said}, version ${synced.version}, ${synced.pipeline_id}`));
  return { pipeline_id: synced.pipeline_id, version: synced.version };
}

async function executionOf(options: RunOptions): Promise<JsonObject> {
  const { inputFile, input, param, webhook, email } = options;
  const inFile = inputFile === undefined ? undefined : await readObjectOf(inputFile, '--input-file');
  const notification = { ...(webhook ? { webhook } : {}), ...(email ? { email } : {}) };
  return {
    ...(inFile || input ? { input_data: { ...inFile, ...input } } : {}),
    ...(param ? { parameters: param } : {}),
    ...(webhook || email ? { notification } : {}),
  };
}

async function runs(
  context: CliContext,
  given: string | undefined,
  options: PageOptions & { status?: string },
): Promise<undefined> {
  const { out } = context;
  const path = given === undefined ? RUNS : `${PIPELINES}/${await pipelineId(context.api(), given)}/runs`;
  const query = { status: options.status };
  await showPages(context, { item: RunSummary, path, query, options }, (items, first) => {
    for (const item of items) out.line('run', item);
    if (first && items.length === 0) out.say('No runs.');
    else out.table(runColumns(out), items);
  });
}

async function status(context: CliContext, given: string, watch: boolean): Promise<ExitCode> {
  const id = await runId(context.api(), given);
  if (watch) return follow(context, id);
  showDetail(context, await context.api().call(RunView, 'GET', `${RUNS}/${encodeURIComponent(id)}`));
  return EXIT.ok;
}

async function control(context: CliContext, verb: string, given: string, watch: boolean): Promise<ExitCode> {
  const { out } = context;
  const api = context.api();
  const id = await runId(api, given);
  const answer = await api.call(RunView, 'POST', `${RUNS}/${encodeURIComponent(id)}/${verb}`);
  if (watch) return follow(context, id);
  out.line('run', answer);
  out.say(`${answer.run_id}: ${answer.status}`);
  return EXIT.ok;
}

async function artifacts(context: CliContext, given: string, folder: string | undefined): Promise<undefined> {
  const { out, signal } = context;
  const api = context.api();
  const path = `${RUNS}/${encodeURIComponent(await runId(api, given))}/artifacts`;
  const { artifacts: found } = await api.call(Artifacts, 'GET', path);
  if (folder === undefined) {
    for (const artifact of found) out.line('artifact', artifact);
    if (found.length === 0) out.say('No artifacts.');
    else out.table(artifactColumns(), found);
    return;
  }
  for (const artifact of found) {
    const stored = await downloadArtifact(api, artifact, { folder, signal });
    out.line('download', { ...artifact, ...stored });
    out.say(`${stored.path}  ${stored.fetched ? formatBytes(artifact.bytes) : 'is there already'}`);
  }
  if (found.length === 0) out.say('No artifacts.');
}

/** Shows a run until it is over, and then how it ended. */
async function follow(context: CliContext, id: string): Promise<ExitCode> {
  const { out, signal, io } = context;
  const api = context.api();
  let progress: ReturnType<typeof showRun> | undefined;
  let name = '';
  try {
    const run = await watchRun(api, id, {
      signal,
      async onView(view) {
        if (!progress) {
          name = `${await pipelineName(api, view.pipeline_id)} v${view.version}`;
          progress = showRun(out, name, io.stderr);
        }
        progress.update(view);
      },
    });
    progress?.stop();
    out.line('run', run);
    for (const line of runSummary(out, run, name)) out.say(line);
    return run.status === 'completed' ? EXIT.ok : EXIT.failed;
  } catch (error) {
    progress?.stop();
    if (!signal.aborted) throw error;
    throw new CliError(EXIT.interrupted, 'Interrupted: the run goes on without this command', {
      hint: `Look: ostinato pipelines status ${id} --watch; stop it: ostinato pipelines cancel ${id}`,
    });
  }
}

function showDetail({ out }: CliContext, run: RunView): void {
  out.line('run', run);
  out.fields(runFields(out, run));
  out.say();
  out.table(stageColumns(out), run.stages);
  for (const line of approvalLines(out, run)) out.say(line);
}
