/** `ostinato approvals …`: what stages of pipelines wait for. */
import { type Command, Option } from 'commander';
import { ApprovalView } from '../../schema/pipeline-views.ts';
import type { Api } from '../api.ts';
import type { Act, CliContext } from '../context.ts';
import { addPaging, type PageOptions, showPages } from '../pages.ts';
import { runId } from '../pipeline-ids.ts';
import { resolveId } from '../resolve.ts';
import { clean } from '../text.ts';
import { approvalColumns } from '../views/pipeline.ts';

const PATH = '/api/v1/approvals';
const ID_HELP = 'id of the approval, or its first 4 or more characters';

interface ListOptions extends PageOptions {
  status?: string;
  run?: string;
}

export function addApprovals(program: Command, act: Act): void {
  const approvals = program
    .command('approvals')
    .summary('list and decide what stages wait for')
    .description('Approvals: stages that go on only when somebody says so.');
  addPaging(approvals.command('list', { isDefault: true }).summary('approvals, newest first'))
    .addOption(new Option('--status <status>', 'only these').choices(ApprovalView.shape.status.options))
    .option('--run <run>', 'only those of this run')
    .action((options: ListOptions, command: Command) => act(command, (context) => list(context, options)));
  for (const verb of ['approve', 'reject'] as const) {
    approvals
      .command(verb)
      .summary(`${verb} what a stage waits for; the first decision counts`)
      .argument('<approval>', ID_HELP)
      .option('-c, --comment <text>', 'kept with the decision')
      .action((id: string, options: { comment?: string }, command: Command) =>
        act(command, (context) => decide(context, verb, id, options.comment)),
      );
  }
}

async function list(context: CliContext, { status, run, ...options }: ListOptions): Promise<undefined> {
  const { out } = context;
  const query = { status, run_id: run === undefined ? undefined : await runId(context.api(), run) };
  await showPages(context, { item: ApprovalView, path: PATH, query, options }, (items, first) => {
    for (const item of items) out.line('approval', item);
    if (first && items.length === 0) out.say('No approvals.');
    else out.table(approvalColumns(out), items);
  });
}

async function decide(
  context: CliContext,
  decision: 'approve' | 'reject',
  given: string,
  comment: string | undefined,
): Promise<undefined> {
  const { out } = context;
  const api = context.api();
  const body = { decision, ...(comment === undefined ? {} : { comment }) };
  const decided = await api.call(ApprovalView, 'POST', `${PATH}/${await idOf(api, given)}/decide`, { body });
  out.line('approval', decided);
  out.say(clean(`${decided.approval_id}: ${decided.status}`));
  out.say(out.style('dim', `Look: ostinato pipelines status ${decided.run_id} --watch`));
}

function idOf(api: Api, given: string): Promise<string> {
  return resolveId(api, given, {
    noun: 'approval',
    path: PATH,
    item: ApprovalView,
    idOf: (approval) => approval.approval_id,
  });
}
