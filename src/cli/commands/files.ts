/** `ostinato files …`: look at files and steer them. */
import { type Command, Option } from 'commander';
import { z } from 'zod';
import { FileView, RecordView } from '../../schema/files.ts';
import { CONTENT_TYPES, FILE_STATUSES, SOURCES } from '../../schema/names.ts';
import type { Api } from '../api.ts';
import type { Act, CliContext } from '../context.ts';
import { CliError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { addPaging, type PageOptions, showPages } from '../pages.ts';
import { showProgress } from '../progress.ts';
import { resolveId } from '../resolve.ts';
import { fileColumns, fileErrors, fileFields } from '../views/file.ts';
import { recordColumns } from '../views/record.ts';
import { watchFile } from '../watch.ts';
import { showOutcome } from './ingest.ts';

const PATH = '/api/v1/files';
const ID_HELP = 'id of the file, or its first 4 or more characters';
const MOST_ERRORS = 100;

interface ListOptions extends PageOptions {
  status?: string;
  source?: string;
}

interface RecordsOptions extends PageOptions {
  type?: string;
}

/** What a control asks for and how it is told. `watchable`: the work goes on afterwards. */
const CONTROLS = [
  { verb: 'cancel', summary: 'stop an ingestion and take out what it brought', watchable: false },
  { verb: 'pause', summary: 'pause an ingestion at its next checkpoint', watchable: false },
  { verb: 'resume', summary: 'go on with a paused ingestion', watchable: true },
  { verb: 'retry', summary: 'try a failed or cancelled file again', watchable: true },
] as const;

export function addFiles(program: Command, act: Act): void {
  const files = program.command('files').summary('list, look at and steer files').description('Files that came in.');
  addPaging(files.command('list', { isDefault: true }).summary('files, newest first'))
    .addOption(new Option('--status <status>', 'only these').choices(FILE_STATUSES))
    .addOption(new Option('-s, --source <source>', 'only of this source').choices(SOURCES))
    .action((options: ListOptions, command: Command) => act(command, (context) => list(context, options)));
  files
    .command('show')
    .summary('one file with its progress, counts and errors')
    .argument('<file>', ID_HELP)
    .option('-w, --watch', 'stay until its ingestion is over; exit code 1 when it failed')
    .action((id: string, options: { watch?: boolean }, command: Command) =>
      act(command, (context) => show(context, id, options.watch === true)),
    );
  addPaging(files.command('records').summary('the records that a file brought').argument('<file>', ID_HELP))
    .addOption(new Option('-t, --type <type>', 'only of this content type').choices(CONTENT_TYPES))
    .action((id: string, options: RecordsOptions, command: Command) =>
      act(command, (context) => records(context, id, options)),
    );
  for (const { verb, summary, watchable } of CONTROLS) {
    const command = files.command(verb).summary(summary).argument('<file>', ID_HELP);
    if (watchable) command.option('-w, --watch', 'stay until the ingestion is over; exit code 1 when it failed');
    command.action((id: string, options: { watch?: boolean }, self: Command) =>
      act(self, (context) => control(context, verb, id, options.watch === true)),
    );
  }
  files
    .command('delete')
    .summary('delete a file with its records, vectors and bytes')
    .argument('<file>', ID_HELP)
    .action((id: string, _options: object, command: Command) => act(command, (context) => remove(context, id)));
}

function idOf(api: Api, given: string): Promise<string> {
  return resolveId(api, given, { noun: 'file', path: PATH, item: FileView, idOf: (file) => file.file_id });
}

async function list(context: CliContext, options: ListOptions): Promise<undefined> {
  const { out } = context;
  const query = { status: options.status, source_type: options.source };
  await showPages(context, { item: FileView, path: PATH, query, options }, (items, first) => {
    for (const item of items) out.line('file', item);
    if (first && items.length === 0) out.say('No files. Bring one in: ostinato ingest FILE --source slack --watch');
    else out.table(fileColumns(out), items);
  });
}

async function show(context: CliContext, given: string, watch: boolean): Promise<ExitCode> {
  const { out } = context;
  const api = context.api();
  const view = await api.call(FileView, 'GET', `${PATH}/${await idOf(api, given)}`);
  if (watch) return follow(context, view);
  showFile(context, view);
  for (const line of fileErrors(view, MOST_ERRORS)) out.say(out.style('yellow', line));
  return EXIT.ok;
}

async function records(context: CliContext, given: string, options: RecordsOptions): Promise<undefined> {
  const { out } = context;
  const path = `${PATH}/${await idOf(context.api(), given)}/records`;
  const query = { content_type: options.type };
  await showPages(context, { item: RecordView, path, query, options }, (items, first) => {
    for (const item of items) out.line('record', item);
    if (first && items.length === 0) out.say('No records.');
    else out.table(recordColumns(out), items);
  });
}

async function control(context: CliContext, verb: string, given: string, watch: boolean): Promise<ExitCode> {
  const api = context.api();
  const view = await api.call(FileView, 'POST', `${PATH}/${await idOf(api, given)}/${verb}`);
  if (watch) return follow(context, view);
  showFile(context, view);
  return EXIT.ok;
}

async function remove(context: CliContext, given: string): Promise<undefined> {
  const { out } = context;
  const api = context.api();
  const Deleted = z.object({ file_id: z.string(), workflow_id: z.string() });
  const answer = await api.call(Deleted, 'DELETE', `${PATH}/${await idOf(api, given)}`);
  out.line('deletion', answer);
  out.say(`Deleting ${answer.file_id}`);
  out.say(out.style('dim', `Look: ostinato workflows show ${answer.workflow_id}`));
}

function showFile({ out }: CliContext, view: FileView): void {
  out.line('file', view);
  out.fields(fileFields(out, view));
}

async function follow(context: CliContext, file: FileView): Promise<ExitCode> {
  const { out, signal, io } = context;
  const progress = showProgress(out, { name: file.filename, size: file.size_bytes }, io.stderr);
  try {
    const view = await watchFile(context.api(), file.file_id, {
      signal,
      onProgress: (next) => progress.ingestion(next),
    });
    progress.stop();
    showOutcome(context, view, false);
    return view.status === 'completed' ? EXIT.ok : EXIT.failed;
  } catch (error) {
    progress.stop();
    if (!signal.aborted) throw error;
    throw new CliError(EXIT.interrupted, 'Interrupted: the ingestion goes on without this command');
  }
}
