/** `ostinato ingest FILE --source slack [--watch]`: brings an export in. */
import { type Command, Option } from 'commander';
import type { FileAccepted, FileView } from '../../schema/files.ts';
import { SOURCES } from '../../schema/names.ts';
import type { Act, CliContext } from '../context.ts';
import { CliError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { parsePair } from '../parse.ts';
import { showProgress } from '../progress.ts';
import { describeFile, uploadFile } from '../upload.ts';
import { fileErrors, fileSummary } from '../views/file.ts';
import { watchFile } from '../watch.ts';

export interface IngestOptions {
  source: string;
  watch?: boolean;
  metadata?: Record<string, string>;
  name?: string;
}

export function addIngest(program: Command, act: Act): void {
  program
    .command('ingest')
    .summary('bring an export file in')
    .description(
      'Uploads FILE and starts its ingestion, which goes on without this command. The same bytes again are recognised.',
    )
    .argument('<file>', 'an export: ZIP, JSON, CSV or PDF, as the source gives it')
    .addOption(new Option('-s, --source <source>', 'which system exported it').choices(SOURCES).makeOptionMandatory())
    .option('-w, --watch', 'stay until the ingestion is over; exit code 1 when it failed')
    .option('-m, --metadata <key=value>', 'kept with the file; may be repeated', parsePair)
    .option('--name <filename>', 'the name the file goes by (default: its own)')
    .action((path: string, options: IngestOptions, command: Command) =>
      act(command, (context) => ingest(context, path, options)),
    );
}

export async function ingest(context: CliContext, path: string, options: IngestOptions): Promise<ExitCode> {
  const { out, signal, io } = context;
  const file = await describeFile(path, options.name);
  const api = context.api();
  const progress = showProgress(out, file, io.stderr);
  let accepted: FileAccepted | undefined;
  try {
    accepted = await uploadFile(
      api,
      { file, source: options.source, metadata: options.metadata ?? {} },
      { signal, onSent: (bytes) => progress.upload(bytes) },
    );
    progress.uploaded();
    if (!options.watch) {
      progress.stop();
      showAccepted(context, file.name, options.source, accepted);
      return EXIT.ok;
    }
    out.line('accepted', { ...accepted, filename: file.name, source_type: options.source });
    const view = await watchFile(api, accepted.file_id, { signal, onProgress: (next) => progress.ingestion(next) });
    progress.stop();
    showOutcome(context, view, accepted.duplicate);
    return view.status === 'completed' ? EXIT.ok : EXIT.failed;
  } catch (error) {
    progress.stop();
    if (!signal.aborted) throw error;
    throw interrupted(accepted);
  }
}

function showAccepted(context: CliContext, filename: string, source: string, accepted: FileAccepted): void {
  const { out } = context;
  out.line('accepted', { ...accepted, filename, source_type: source });
  out.say(`${out.style('green', accepted.duplicate ? 'Already here' : 'Accepted')}: ${filename}`);
  out.fields([
    ['file', accepted.file_id],
    ['workflow', accepted.workflow_id],
    ['status', accepted.status],
  ]);
  out.say(out.style('dim', `Look: ostinato files show ${accepted.file_id}`));
}

/** The end of an ingestion: what it brought, or why it did not. */
export function showOutcome(context: CliContext, view: FileView, duplicate: boolean): void {
  const { out } = context;
  out.line('file', { ...view, duplicate });
  for (const line of fileSummary(out, view, duplicate)) out.say(line);
  for (const line of fileErrors(view)) out.say(out.style('yellow', line));
}

function interrupted(accepted: FileAccepted | undefined): CliError {
  if (!accepted)
    return new CliError(EXIT.interrupted, 'Interrupted: the upload was not finished and nothing of it is kept');
  return new CliError(EXIT.interrupted, 'Interrupted: the ingestion goes on without this command', {
    hint: `Look: ostinato files show ${accepted.file_id}; stop it: ostinato files cancel ${accepted.file_id}`,
  });
}
