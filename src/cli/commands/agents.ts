/** `ostinato agents …`: who does tasks, and how they are. */
import { type Command, Option } from 'commander';
import { z } from 'zod';
import { AgentDetail, AgentList, AgentRegistered, AgentView } from '../../schema/agents.ts';
import type { JsonObject } from '../../schema/json.ts';
import { AGENT_STATUSES, AGENT_TYPES } from '../../schema/names.ts';
import type { Api } from '../api.ts';
import type { Act, CliContext } from '../context.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { parseValuePair, readObjectOf } from '../json-values.ts';
import { addPaging, type PageOptions, showPages } from '../pages.ts';
import { parseCount, parsePair, parseWords } from '../parse.ts';
import { resolveId } from '../resolve.ts';
import { agentColumns, agentFields } from '../views/agent.ts';

const PATH = '/api/v1/agents';
const ID_HELP = 'id of the agent, or its first 4 or more characters';

/** Lists of agents have a form of their own. */
const Page = AgentList.transform(({ agents, next_cursor }) => ({ items: agents, next_cursor }));

interface ListOptions extends PageOptions {
  status?: string;
  type?: string;
  capability?: string;
}

interface RegisterOptions {
  name?: string;
  type?: string;
  capability?: string[];
  taskUrl?: string;
  statusUrl?: string;
  healthUrl?: string;
  mcpUrl?: string;
  resource?: JsonObject;
  label?: Record<string, string>;
  maxConcurrency?: number;
  credential?: string;
  shared?: boolean;
}

export function addAgents(program: Command, act: Act): void {
  const agents = program
    .command('agents')
    .summary('list, look at, register and steer agents')
    .description('Agents: programs of their own that do tasks.');
  addPaging(agents.command('list', { isDefault: true }).summary('agents, newest first'))
    .addOption(new Option('--status <status>', 'only these').choices(AGENT_STATUSES))
    .addOption(new Option('--type <type>', 'only of this type').choices(AGENT_TYPES))
    .option('--capability <name>', 'only those that have it')
    .action((options: ListOptions, command: Command) => act(command, (context) => list(context, options)));
  agents
    .command('show')
    .summary('one agent with its health and what it is at')
    .argument('<agent>', ID_HELP)
    .action((id: string, _options: object, command: Command) => act(command, (context) => show(context, id)));
  addRegister(agents, act);
  for (const [verb, summary] of [
    ['drain', 'give an agent no new tasks; those that it has go on'],
    ['activate', 'give a drained agent tasks again'],
  ] as const) {
    agents
      .command(verb)
      .summary(summary)
      .argument('<agent>', ID_HELP)
      .action((id: string, _options: object, command: Command) =>
        act(command, (context) => control(context, verb, id)),
      );
  }
  agents
    .command('rotate')
    .summary("replace an agent's token; the new one is shown this once")
    .argument('<agent>', ID_HELP)
    .action((id: string, _options: object, command: Command) => act(command, (context) => rotate(context, id)));
  agents
    .command('remove')
    .summary('take an agent out; its token ends and its tasks move to others')
    .argument('<agent>', ID_HELP)
    .action((id: string, _options: object, command: Command) => act(command, (context) => remove(context, id)));
}

function addRegister(agents: Command, act: Act): void {
  agents
    .command('register')
    .summary('register an agent, or update the one of its name; its token is shown this once')
    .description('Registers an agent from FILE (JSON or YAML), from options, or both: options go before the file.')
    .argument('[file]', 'what POST /api/v1/agents/register takes: name, type, capabilities, endpoints, …')
    .option('--name <name>', 'unique among all agents')
    .addOption(new Option('--type <type>', 'what it is').choices(AGENT_TYPES))
    .option('--capability <name>', 'what it can do; may be repeated, or several with commas', parseWords)
    .option('--task-url <address>', 'takes tasks by POST; without it and --mcp-url it claims its tasks itself')
    .option('--status-url <address>', 'tells how a task goes')
    .option('--health-url <address>', 'answers 2xx while it is well')
    .option('--mcp-url <address>', 'an MCP server; a task is a call of one of its tools')
    .option('--resource <name=value>', 'cpu=4, memory=8GB, gpu=true; may be repeated', parseValuePair)
    .option('--label <name=value>', 'may be repeated', parsePair)
    .option('--max-concurrency <n>', 'tasks that it takes at once', parseCount(1, 1000))
    .option('--credential <name>', 'outgoing credential that calls to it carry')
    .option('--shared', "it does everybody's tasks (for operators, who get that unless told)")
    .option('--no-shared', 'it does your tasks alone')
    .action((file: string | undefined, options: RegisterOptions, command: Command) =>
      act(command, (context) => register(context, file, options)),
    );
}

function idOf(api: Api, given: string): Promise<string> {
  return resolveId(api, given, { noun: 'agent', path: PATH, item: AgentView, page: Page, idOf: (agent) => agent.id });
}

async function list(context: CliContext, { status, type, capability, ...options }: ListOptions): Promise<undefined> {
  const { out } = context;
  const query = { status, type, capability };
  await showPages(context, { item: AgentView, page: Page, path: PATH, query, options }, (items, first) => {
    for (const item of items) out.line('agent', item);
    if (first && items.length === 0) out.say('No agents. Tasks are done by the built-in executors of their types.');
    else out.table(agentColumns(out), items);
  });
}

async function show(context: CliContext, given: string): Promise<undefined> {
  const api = context.api();
  showAgent(context, await api.call(AgentDetail, 'GET', `${PATH}/${await idOf(api, given)}`));
}

async function register(context: CliContext, file: string | undefined, options: RegisterOptions): Promise<undefined> {
  const { out } = context;
  const before = file === undefined ? {} : await readObjectOf(file, 'register');
  const endpoints = defined({
    task: options.taskUrl,
    status: options.statusUrl,
    health: options.healthUrl,
    mcp: options.mcpUrl,
  });
  const body = {
    ...before,
    ...defined({
      name: options.name,
      type: options.type,
      capabilities: options.capability,
      max_concurrency: options.maxConcurrency,
      credential: options.credential,
      shared: options.shared,
    }),
    ...merged(before, 'endpoints', endpoints),
    ...merged(before, 'resources', options.resource ?? {}),
    ...merged(before, 'labels', options.label ?? {}),
  };
  if (body.name === undefined) {
    throw new CliError(EXIT.usage, 'name: an agent needs one', { hint: 'Give --name, or a file that has `name`.' });
  }
  const answer = await context.api().call(AgentRegistered, 'POST', `${PATH}/register`, { body });
  out.line('agent_registered', answer);
  out.say(out.style('green', answer.created ? 'Registered' : 'Updated'));
  out.fields([
    ['agent', answer.agent_id],
    ['heartbeat', `every ${answer.heartbeat_interval_seconds} s`],
    ...(answer.token === null ? [] : ([['token', out.style('bold', answer.token)]] as [string, string][])),
  ]);
  if (answer.token !== null) out.say(out.style('yellow', 'Keep the token now: it cannot be shown again.'));
}

async function control(context: CliContext, verb: string, given: string): Promise<undefined> {
  const api = context.api();
  showAgent(context, await api.call(AgentDetail, 'POST', `${PATH}/${await idOf(api, given)}/${verb}`));
}

async function rotate(context: CliContext, given: string): Promise<undefined> {
  const { out } = context;
  const api = context.api();
  const Rotated = z.object({ agent_id: z.string(), token: z.string() });
  const answer = await api.call(Rotated, 'POST', `${PATH}/${await idOf(api, given)}/token`);
  out.line('agent_token', answer);
  out.fields([
    ['agent', answer.agent_id],
    ['token', out.style('bold', answer.token)],
  ]);
  out.say(out.style('yellow', 'Keep it now: it cannot be shown again. The old one has ended.'));
}

async function remove(context: CliContext, given: string): Promise<undefined> {
  const { out } = context;
  const api = context.api();
  const Removed = z.object({ agent_id: z.string(), moved_tasks: z.int() });
  const answer = await api.call(Removed, 'DELETE', `${PATH}/${await idOf(api, given)}`);
  out.line('agent_removed', answer);
  out.say(`Removed ${answer.agent_id}; ${answer.moved_tasks} of its tasks go to others`);
}

function showAgent({ out }: CliContext, agent: AgentDetail): void {
  out.line('agent', agent);
  out.fields(agentFields(out, agent));
}

function defined(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** One field of the file with what options add to it; nothing when neither names it. */
function merged(before: JsonObject, field: string, added: Record<string, unknown>): Record<string, unknown> {
  const given = before[field];
  if (Object.keys(added).length === 0) return {};
  return { [field]: { ...(typeof given === 'object' && !Array.isArray(given) ? given : {}), ...added } };
}
