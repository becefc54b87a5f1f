/** `ostinato notifications …`: what was told to whom, and delivering it again. */
import { type Command, Option } from 'commander';
import type { z } from 'zod';
import { NOTIFICATION_STATUSES, NotificationView } from '../../schema/notifications.ts';
import type { Api } from '../api.ts';
import type { Act, CliContext } from '../context.ts';
import type { Output } from '../output.ts';
import { addPaging, type PageOptions, showPages } from '../pages.ts';
import { runId } from '../pipeline-ids.ts';
import { resolveId } from '../resolve.ts';
import type { Column } from '../table.ts';
import { shownId, styleStatus } from '../views/file.ts';

const PATH = '/api/v1/notifications';

interface ListOptions extends PageOptions {
  status?: string;
  run?: string;
}

export function addNotifications(program: Command, act: Act): void {
  const notifications = program
    .command('notifications')
    .summary('list and replay webhooks and mails')
    .description('Notifications: webhooks and mails that tell of runs, and whether they arrived.');
  addPaging(notifications.command('list', { isDefault: true }).summary('notifications, newest first'))
    .addOption(new Option('--status <status>', 'only these').choices(NOTIFICATION_STATUSES))
    .option('--run <run>', 'only those of this run')
    .action((options: ListOptions, command: Command) => act(command, (context) => list(context, options)));
  notifications
    .command('replay')
    .summary('deliver one again')
    .argument('<notification>', 'id of the notification, or its first 4 or more characters')
    .action((id: string, _options: object, command: Command) => act(command, (context) => replay(context, id)));
}

async function list(context: CliContext, { status, run, ...options }: ListOptions): Promise<undefined> {
  const { out } = context;
  const query = { status, run_id: run === undefined ? undefined : await runId(context.api(), run) };
  await showPages(context, { item: NotificationView, path: PATH, query, options }, (items, first) => {
    for (const item of items) out.line('notification', item);
    if (first && items.length === 0) out.say('No notifications.');
    else out.table(columns(out), items);
  });
}

function columns(out: Output): Column<z.output<typeof NotificationView>>[] {
  return [
    { title: 'NOTIFICATION', value: (one) => shownId(out, one.notification_id) },
    { title: 'STATUS', value: (one) => one.status, style: (cell) => styleStatus(out, cell) },
    { title: 'EVENT', value: (one) => one.event },
    { title: 'TRIES', value: (one) => String(one.attempts), align: 'right' },
    { title: 'CREATED', value: (one) => out.time(one.created_at) },
    { title: 'NEXT', value: (one) => out.time(one.next_attempt_at) },
    { title: 'TO', value: (one) => one.target, shrinkTo: 12 },
    { title: 'ERROR', value: (one) => one.last_error ?? '-', shrinkTo: 8 },
  ];
}

async function replay(context: CliContext, given: string): Promise<undefined> {
  const { out } = context;
  const api = context.api();
  const again = await api.call(NotificationView, 'POST', `${PATH}/${await idOf(api, given)}/replay`);
  out.line('notification', again);
  out.say(`${again.notification_id}: ${again.status}`);
}

function idOf(api: Api, given: string): Promise<string> {
  return resolveId(api, given, {
    noun: 'notification',
    path: PATH,
    item: NotificationView,
    idOf: (notification) => notification.notification_id,
  });
}
