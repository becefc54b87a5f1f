/** `notifications.*`: what was to be told, delivering it again, and the secret that webhooks are signed with. */
import { z } from 'zod';
import { PageQuery, pageOf } from '../../schema/files.ts';
import { NOTIFICATION_STATUSES, NotificationView } from '../../schema/notifications.ts';
import { PipelineId } from '../../schema/pipelines.ts';
import { changeableNotification, notificationView, replayNotification } from '../../services/notifications/replay.ts';
import { webhookSecret } from '../../services/notifications/secret.ts';
import { visibleRuns } from '../../services/pipelines/lookup.ts';
import { listNotifications } from '../../stores/notifications.ts';
import { type AnyOperation, defineOperation } from '../contract.ts';

const list = defineOperation({
  name: 'notifications.list',
  summary: 'Notifications of your runs, newest first, with how their delivery stands',
  room: 'pipelines',
  permission: 'pipelines:read',
  input: z.object({
    status: z.enum(NOTIFICATION_STATUSES).optional(),
    run_id: PipelineId.optional(),
    ...PageQuery,
  }),
  output: pageOf(NotificationView),
  http: { method: 'get', path: '/api/v1/notifications', tag: 'notifications' },
  failures: ['unavailable'],
  audited: false,
  async run({ deps, principal }, input) {
    const page = await listNotifications(deps.db, { ...input, ...visibleRuns(principal) });
    return { ...page, items: page.items.map(notificationView) };
  },
});

const replay = defineOperation({
  name: 'notifications.replay',
  summary: 'Deliver a notification again, under the same webhook-id',
  room: 'pipelines',
  permission: 'pipelines:write',
  input: z.object({ notification_id: PipelineId }),
  output: NotificationView,
  http: {
    method: 'post',
    path: '/api/v1/notifications/{notification_id}/replay',
    status: 202,
    tag: 'notifications',
  },
  failures: ['not_found', 'conflict', 'unavailable'],
  audited: true,
  async run({ deps, principal }, { notification_id }) {
    const row = await changeableNotification(deps, principal, notification_id);
    return notificationView(await replayNotification(deps, row));
  },
});

const secret = defineOperation({
  name: 'notifications.secret',
  summary: 'The secret that your webhooks are signed with (Standard Webhooks)',
  room: 'pipelines',
  permission: 'pipelines:write',
  input: z.object({}),
  output: z.object({ secret: z.string() }),
  http: { method: 'get', path: '/api/v1/notifications/secret', tag: 'notifications' },
  failures: ['unavailable'],
  audited: true,
  run: async ({ deps, principal }) => ({ secret: webhookSecret(deps.config, principal.id) }),
});

export const notificationOperations: AnyOperation[] = [list, replay, secret];
