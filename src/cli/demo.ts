/** `npm run demo`: brings the bundled samples of all five sources in and asks three questions over them. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { SOURCES, type Source } from '../schema/names.ts';
import { ingest } from './commands/ingest.ts';
import { search } from './commands/search.ts';
import { type CliContext, createAct, type Io } from './context.ts';
import { CliError } from './errors.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { processIo } from './process-io.ts';
import { guarded } from './run.ts';
import { formatDuration } from './text.ts';

const SAMPLES = fileURLToPath(new URL('../../samples/data', import.meta.url));
const QUESTIONS = [
  'expired TLS certificate gateway',
  'what went wrong in February 2026 with the ingest service',
  'how much discount may we give on a three-year contract',
];

/** The samples by source, in the order of their names. */
export function listSamples(folder: string): { source: Source; path: string }[] {
  return SOURCES.flatMap((source) => {
    const entries = readdirSync(join(folder, source), { withFileTypes: true });
    const names = entries.filter((entry) => entry.isFile() && !entry.name.startsWith('.')).map((entry) => entry.name);
    return names.sort().map((name) => ({ source, path: join(folder, source, name) }));
  });
}

/** Ingests every sample, one after another, then searches. A file that fails is told and counted, not fatal. */
export async function demo(context: CliContext, folder: string): Promise<ExitCode> {
  const { out } = context;
  const started = Date.now();
  let failed = 0;
  let last = '';
  for (const { source, path } of listSamples(folder)) {
    if (source !== last) out.say(`${last === '' ? '' : '\n'}${out.style('bold', source)}`);
    last = source;
    try {
      if ((await ingest(context, path, { source, watch: true })) !== EXIT.ok) failed++;
    } catch (error) {
      // A refused file is part of a demonstration; no API or no key is not.
      if (!(error instanceof CliError) || error.exit !== EXIT.failed) throw error;
      failed++;
      out.note(`ostinato: ${error.message}`);
    }
  }
  out.say(
    `\nThe samples are in after ${formatDuration(Date.now() - started)}${failed > 0 ? `; ${failed} failed` : ''}.`,
  );
  for (const question of QUESTIONS) {
    out.say(`\n${out.style('bold', `ostinato search "${question}"`)}`);
    const asked = performance.now();
    await search(context, question, { limit: 3 });
    out.say(out.style('dim', `${formatDuration(performance.now() - asked)} there and back`));
  }
  const { url } = context.api();
  out.say();
  out.fields([
    ['API docs', `${url}/docs`],
    ['Temporal Web UI', `${url}/temporal`],
    ['next', 'ostinato search "your own words", ostinato files, ostinato --help'],
  ]);
  return failed > 0 ? EXIT.failed : EXIT.ok;
}

/** Runs the demonstration with the command line's own options and error texts. */
export async function runDemo(argv: string[], io: Io, folder: string = SAMPLES): Promise<ExitCode> {
  let exit: ExitCode = EXIT.ok;
  const act = createAct(io, (code) => {
    exit = code;
  });
  const command = new Command('demo')
    .description('Brings the bundled samples in and asks three questions over them. May be run again.')
    .option('--url <address>', 'address of the API')
    .option('--key <key>', 'API key')
    .option('--json', 'JSON lines, on a terminal too')
    .option('--table', 'text, when piped too')
    .exitOverride()
    .action((_options: object, self: Command) => act(self, (context) => demo(context, folder)));
  return guarded(io, async () => {
    await command.parseAsync(argv, { from: 'user' });
    return exit;
  });
}

if (import.meta.main) {
  const io = processIo();
  io.exit(await runDemo(process.argv.slice(2), io));
}
