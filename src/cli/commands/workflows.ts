/** `ostinato workflows …`: the durable work behind files. */
import { type Command, Option } from 'commander';
import type { z } from 'zod';
import { WORKFLOWS } from '../../schema/names.ts';
import { RUN_STATUSES, WorkflowDetail, WorkflowView } from '../../schema/workflows.ts';
import type { Act, CliContext } from '../context.ts';
import { addPaging, type PageOptions, showPages } from '../pages.ts';
import { clean } from '../text.ts';
import { styleStatus } from '../views/file.ts';

const PATH = '/api/v1/workflows';

interface ListOptions extends PageOptions {
  status?: string;
  type?: string;
  resource?: string;
}

export function addWorkflows(program: Command, act: Act): void {
  const workflows = program
    .command('workflows')
    .summary('list, look at and cancel workflows')
    .description('The durable workflows that do the work.');
  addPaging(workflows.command('list', { isDefault: true }).summary('workflows, newest first'))
    .addOption(new Option('--status <status>', 'only these').choices(RUN_STATUSES))
    .addOption(new Option('--type <type>', 'only of this type').choices(Object.values(WORKFLOWS)))
    .option('--resource <resource>', 'only on this: file:<id>')
    .action((options: ListOptions, command: Command) => act(command, (context) => list(context, options)));
  workflows
    .command('show')
    .summary('one workflow, with what the engine says of it')
    .argument('<workflow>', 'id of the workflow')
    .action((id: string, _options: object, command: Command) => act(command, (context) => show(context, id)));
  workflows
    .command('cancel')
    .summary('ask a workflow to cancel')
    .argument('<workflow>', 'id of the workflow')
    .action((id: string, _options: object, command: Command) => act(command, (context) => cancel(context, id)));
}

async function list(context: CliContext, { status, type, resource, ...options }: ListOptions): Promise<undefined> {
  const { out } = context;
  const query = { status, type, resource };
  await showPages(context, { item: WorkflowView, path: PATH, query, options }, (items, first) => {
    for (const item of items) out.line('workflow', item);
    if (first && items.length === 0) return out.say('No workflows.');
    out.table(
      [
        // Whole at any width: it is what `show` and `cancel` take.
        { title: 'WORKFLOW', value: (run) => run.workflow_id },
        { title: 'TYPE', value: (run) => run.type, shrinkTo: 8 },
        { title: 'STATUS', value: (run) => run.status, style: (cell) => styleStatus(out, cell) },
        { title: 'SOURCE', value: (run) => run.source ?? '-' },
        { title: 'CREATED', value: (run) => out.time(run.created_at) },
        { title: 'RESOURCE', value: (run) => run.resource ?? '-', shrinkTo: 8 },
      ],
      items,
    );
  });
}

async function show(context: CliContext, id: string): Promise<undefined> {
  const { out } = context;
  const detail = await context.api().call(WorkflowDetail, 'GET', `${PATH}/${encodeURIComponent(id)}`);
  out.line('workflow', detail);
  out.fields([...fields(context, detail), ...engineFields(detail), ['web ui', clean(detail.links.ui)]]);
}

function engineFields({ engine }: z.output<typeof WorkflowDetail>): [string, string][] {
  if (!engine) return [];
  return [
    ['engine', `${engine.status}, ${engine.history_length} history events`],
    ...engine.pending_activities.map(({ type, attempt, last_failure }): [string, string] => [
      'pending',
      clean(`${type}, attempt ${attempt}${last_failure ? `: ${last_failure}` : ''}`),
    ]),
  ];
}

async function cancel(context: CliContext, id: string): Promise<undefined> {
  const { out } = context;
  const run = await context.api().call(WorkflowView, 'POST', `${PATH}/${encodeURIComponent(id)}/cancel`);
  out.line('workflow', run);
  out.say(run.closed_at === null ? `Asked ${run.workflow_id} to cancel` : `${run.workflow_id} is over: ${run.status}`);
}

function fields({ out }: CliContext, run: WorkflowView): [string, string][] {
  return [
    ['workflow', run.workflow_id],
    ['type', run.type],
    ['status', styleStatus(out, run.status)],
    ['owner', clean(run.owner)],
    ['source', run.source ?? '-'],
    ['resource', run.resource ?? '-'],
    ['created', out.time(run.created_at)],
    ['started', out.time(run.started_at)],
    ['closed', out.time(run.closed_at)],
    ...(run.error ? [['error', `${clean(run.error.detail)} [${run.error.code}]`] as [string, string]] : []),
  ];
}
