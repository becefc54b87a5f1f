/** `ostinato tasks …`: single pieces of work, done by an agent or built in. */
import { Argument, type Command, Option } from 'commander';
import type { JsonObject } from '../../schema/json.ts';
import { EXECUTORS, PRIORITIES, TASK_STATUSES, TASK_TYPES } from '../../schema/names.ts';
import { TaskAccepted, TaskDetail, TaskListItem, TaskView } from '../../schema/tasks.ts';
import { type AgentNames, agentNames } from '../agent-names.ts';
import type { Api } from '../api.ts';
import type { Act, CliContext } from '../context.ts';
import { CliError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { readObject } from '../json-values.ts';
import { addPaging, type PageOptions, showPages } from '../pages.ts';
import { parseCount, parseWords } from '../parse.ts';
import { resolveId } from '../resolve.ts';
import { newLines } from '../task-logs.ts';
import { showTask } from '../task-progress.ts';
import { logLine, TASK_LEAD, taskColumns, taskFields } from '../views/task.ts';
import { watchTask } from '../watch-run.ts';

const PATH = '/api/v1/tasks';
const ID_HELP = 'id of the task, or the first 4 or more characters of its number';

interface ListOptions extends PageOptions {
  status?: string;
  type?: string;
  pipeline?: string;
}

interface SubmitOptions {
  payload?: string;
  priority?: string;
  timeout?: number;
  retries?: number;
  executor?: string;
  capability?: string[];
  agent?: string;
  pipeline?: string;
  stage?: number;
  idempotencyKey?: string;
  watch?: boolean;
}

export function addTasks(program: Command, act: Act): void {
  const tasks = program
    .command('tasks')
    .summary('list, look at, submit and steer tasks')
    .description('Tasks: single pieces of work, done by an agent or built in.');
  addPaging(tasks.command('list', { isDefault: true }).summary('tasks, newest first'))
    .addOption(new Option('--status <status>', 'only these').choices(TASK_STATUSES))
    .addOption(new Option('--type <type>', 'only of this type').choices(TASK_TYPES))
    .option('--pipeline <id>', 'only those that this pipeline labels')
    .action((options: ListOptions, command: Command) => act(command, (context) => list(context, options)));
  tasks
    .command('show')
    .summary('one task with its attempts and what came of it')
    .argument('<task>', ID_HELP)
    .option('-w, --watch', 'stay until it is over; exit code 1 when it failed')
    .action((id: string, options: { watch?: boolean }, command: Command) =>
      act(command, (context) => show(context, id, options.watch === true)),
    );
  addSubmit(tasks, act);
  tasks
    .command('cancel')
    .summary('stop a task')
    .argument('<task>', ID_HELP)
    .action((id: string, _options: object, command: Command) =>
      act(command, (context) => control(context, 'cancel', id, false)),
    );
  tasks
    .command('retry')
    .summary('try a failed or cancelled task again')
    .argument('<task>', ID_HELP)
    .option('-w, --watch', 'stay until it is over; exit code 1 when it failed')
    .action((id: string, options: { watch?: boolean }, command: Command) =>
      act(command, (context) => control(context, 'retry', id, options.watch === true)),
    );
  tasks
    .command('logs')
    .summary('the newest lines that a task wrote')
    .argument('<task>', ID_HELP)
    .option('-f, --follow', 'stay and show what comes, until the task is over')
    .action((id: string, options: { follow?: boolean }, command: Command) =>
      act(command, (context) => logs(context, id, options.follow === true)),
    );
}

function addSubmit(tasks: Command, act: Act): void {
  tasks
    .command('submit')
    .summary('submit a task')
    .addArgument(new Argument('<type>', 'what kind of work').choices(TASK_TYPES))
    .option('-p, --payload <json>', 'what to do, as JSON, or @FILE with JSON or YAML')
    .addOption(new Option('--priority <priority>', 'its place in the queue').choices(PRIORITIES))
    .option('--timeout <seconds>', 'of one attempt', parseCount(1, 604_800))
    .option('--retries <n>', 'attempts after the first', parseCount(0, 20))
    .addOption(new Option('--executor <executor>', 'auto: an agent when one fits, else built in').choices(EXECUTORS))
    .option('--capability <name>', 'what an agent must have; may be repeated, or several with commas', parseWords)
    .option('--agent <id>', 'this agent and no other')
    .option('--pipeline <id>', 'labels it')
    .option('--stage <n>', 'labels it; counts from 0', parseCount(0, 10_000))
    .option('--idempotency-key <key>', 'a repeat with the same key leads to the same task')
    .option('-w, --watch', 'stay until it is over; exit code 1 when it failed')
    .action((type: string, options: SubmitOptions, command: Command) =>
      act(command, (context) => submit(context, type, options)),
    );
}

function idOf(api: Api, given: string): Promise<string> {
  return resolveId(api, given, {
    noun: 'task',
    path: PATH,
    item: TaskListItem,
    idOf: (task) => task.task_id,
    lead: TASK_LEAD,
  });
}

const detail = (api: Api, id: string) => api.call(TaskDetail, 'GET', `${PATH}/${encodeURIComponent(id)}/detail`);

async function list(context: CliContext, { status, type, pipeline, ...options }: ListOptions): Promise<undefined> {
  const { out } = context;
  const query = { status, type, pipeline_id: pipeline };
  const names = agentNames(context.api(), !out.json);
  await showPages(context, { item: TaskListItem, path: PATH, query, options }, async (items, first) => {
    for (const item of items) out.line('task', item);
    await names.learn(items.map((task) => task.assigned_agent));
    if (first && items.length === 0) out.say('No tasks.');
    else out.table(taskColumns(out, names), items);
  });
}

async function show(context: CliContext, given: string, watch: boolean): Promise<ExitCode> {
  const api = context.api();
  const id = await idOf(api, given);
  if (watch) return follow(context, id);
  await showDetail(context, await detail(api, id), agentNames(api, !context.out.json));
  return EXIT.ok;
}

async function submit(context: CliContext, type: string, options: SubmitOptions): Promise<ExitCode> {
  const { out } = context;
  const body: JsonObject = { type };
  if (options.payload !== undefined) body.payload = await readObject(options.payload, '--payload');
  const fields = {
    priority: options.priority,
    timeout: options.timeout,
    retry_count: options.retries,
    executor: options.executor,
    capabilities: options.capability,
    agent_id: options.agent,
    pipeline_id: options.pipeline,
    stage: options.stage,
  };
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) body[name] = value;
  const accepted = await context
    .api()
    .call(TaskAccepted, 'POST', PATH, { body, idempotencyKey: options.idempotencyKey });
  out.line('task_accepted', accepted);
  if (options.watch) return follow(context, accepted.task_id);
  out.say(out.style('green', 'Accepted'));
  out.fields([
    ['task', accepted.task_id],
    ['status', accepted.status],
    ...(accepted.queue_position === null
      ? []
      : ([['place', `${accepted.queue_position} in the queue`]] as [string, string][])),
  ]);
  out.say(out.style('dim', `Look: ostinato tasks show ${accepted.task_id} --watch`));
  return EXIT.ok;
}

async function control(context: CliContext, verb: string, given: string, watch: boolean): Promise<ExitCode> {
  const { out } = context;
  const api = context.api();
  const id = await idOf(api, given);
  const task = await api.call(TaskView, 'POST', `${PATH}/${encodeURIComponent(id)}/${verb}`);
  if (watch) return follow(context, task.task_id);
  out.line('task', task);
  out.say(`${task.task_id}: ${task.status}`);
  return EXIT.ok;
}

async function logs(context: CliContext, given: string, followed: boolean): Promise<ExitCode> {
  const { out, signal } = context;
  const api = context.api();
  const id = await idOf(api, given);
  const fresh = newLines<TaskDetail['logs'][number]>();
  const show = (task: TaskDetail) => {
    const { lines, missed } = fresh(written(task));
    if (missed) out.note('Lines were written faster than they can be followed: some are not shown.');
    for (const line of lines) {
      out.line('log', { task_id: id, ...line });
      out.say(logLine(out, line));
    }
  };
  if (!followed) {
    show(await detail(api, id));
    return EXIT.ok;
  }
  // Lines alone make no event, so it is asked more often than for the status.
  const pollMs = { connected: 1_000, alone: 1_000, least: 200 };
  const task = await watchTask(api, id, { signal, pollMs, onView: show });
  if (task.error) out.note(`${task.status}: ${task.error.detail} [${task.error.code}]`);
  return task.status === 'completed' ? EXIT.ok : EXIT.failed;
}

const WAITING = /^Waiting(: place| for an agent until) /;

/** The lines that were written; a task that waits has one more, which says its place or for what at the moment of asking. */
function written({ logs, queue_position }: TaskDetail): TaskDetail['logs'] {
  return queue_position !== null && WAITING.test(logs.at(-1)?.message ?? '') ? logs.slice(0, -1) : logs;
}

/** Shows a task until it is over, and then what came of it. */
async function follow(context: CliContext, id: string): Promise<ExitCode> {
  const { out, signal, io } = context;
  const api = context.api();
  const names = agentNames(api, !out.json);
  const progress = showTask(out, io.stderr, names);
  const onView = async (view: TaskDetail) => {
    await names.learn([view.assigned_agent]);
    progress.update(view);
  };
  try {
    const task = await watchTask(api, id, { signal, onView });
    progress.stop();
    await showDetail(context, task, names);
    return task.status === 'completed' ? EXIT.ok : EXIT.failed;
  } catch (error) {
    progress.stop();
    if (!signal.aborted) throw error;
    throw new CliError(EXIT.interrupted, 'Interrupted: the task goes on without this command', {
      hint: `Look: ostinato tasks show ${id} --watch; stop it: ostinato tasks cancel ${id}`,
    });
  }
}

async function showDetail({ out }: CliContext, task: TaskDetail, names: AgentNames): Promise<void> {
  out.line('task', task);
  await names.learn([task.assigned_agent ?? task.agent_id]);
  out.fields(taskFields(out, task, names));
}
