/** One run of the command line: reads the arguments, does the work, and answers with an exit code. */
import { Command } from 'commander';
import { addAgents } from './commands/agents.ts';
import { addApprovals } from './commands/approvals.ts';
import { addConfig } from './commands/config.ts';
import { addCredentials } from './commands/credentials.ts';
import { addFiles } from './commands/files.ts';
import { addIngest } from './commands/ingest.ts';
import { addKeys } from './commands/keys.ts';
import { addMcp } from './commands/mcp.ts';
import { addNotifications } from './commands/notifications.ts';
import { addPipelines } from './commands/pipelines.ts';
import { addSearch } from './commands/search.ts';
import { addTasks } from './commands/tasks.ts';
import { addVersion } from './commands/version.ts';
import { addWorkflows } from './commands/workflows.ts';
import { isAbort } from './connection.ts';
import { type Act, createAct, type Io } from './context.ts';
import { CliError, explain } from './errors.ts';
import { EXIT, type ExitCode, exitCodesHelp } from './exit-codes.ts';

const ADDRESS_HELP = `
The API is found by --url, OSTINATO_URL, else the settings of this folder; the key by --key, OSTINATO_API_KEY,
API_KEY, else the file that the first \`npm start\` left in DATA_DIR. Answers are tables on a terminal and JSON lines
(one object a line, with its \`kind\`) when piped or with --json.`;

/** In the order in which help lists them. */
const COMMANDS = [
  addIngest,
  addSearch,
  addFiles,
  addPipelines,
  addApprovals,
  addNotifications,
  addTasks,
  addAgents,
  addWorkflows,
  addKeys,
  addCredentials,
  addConfig,
  addMcp,
  addVersion,
];

/** Runs `argv` (without the program's own name). Everything thrown becomes lines on stderr and an exit code. */
export async function run(argv: string[], io: Io): Promise<ExitCode> {
  let exit: ExitCode = EXIT.ok;
  const act = createAct(io, (code) => {
    exit = code;
  });
  return guarded(io, async () => {
    await buildProgram(io, act).parseAsync(argv, { from: 'user' });
    return exit;
  });
}

/** Does the work and turns what it throws into lines on stderr and an exit code. */
export async function guarded(io: Io, work: () => Promise<ExitCode>): Promise<ExitCode> {
  try {
    return await work();
  } catch (error) {
    const shown = io.signal.aborted && isAbort(error) ? new CliError(EXIT.interrupted, 'Interrupted') : error;
    const { lines, exit } = explain(shown);
    for (const line of lines) io.stderr.write(`${line}\n`);
    return exit;
  }
}

function buildProgram(io: Io, act: Act): Command {
  const program = new Command('ostinato')
    .description('Durable ingestion of exports and answers over them; pipelines, tasks and agents.')
    .option('--url <address>', 'address of the API')
    .option('--key <key>', 'API key (other users of this machine can see it: prefer OSTINATO_API_KEY)')
    .option('--json', 'JSON lines, on a terminal too')
    .option('--table', 'tables, when piped too')
    .version(io.version, '-V, --version')
    .helpCommand('help [command]', 'help for a command')
    .showHelpAfterError('(see --help)')
    .addHelpText('after', ADDRESS_HELP)
    .addHelpText('afterAll', exitCodesHelp());
  for (const add of COMMANDS) add(program, act);
  settle(program, io);
  return program;
}

/** The same output and error handling for every command: nothing writes past `io` or ends the process. */
function settle(command: Command, io: Io): void {
  command.exitOverride().configureOutput({
    writeOut: (text) => io.stdout.write(text),
    writeErr: (text) => io.stderr.write(text.replace(/^error: /, 'ostinato: ')),
    getOutHelpWidth: () => io.stdout.columns ?? 100,
    getErrHelpWidth: () => io.stdout.columns ?? 100,
    getOutHasColors: () => false,
    getErrHasColors: () => false,
  });
  for (const child of command.commands) settle(child, io);
}
