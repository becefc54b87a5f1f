/** One try to deliver a notification, and how long to wait for the next. */

import { isPermanent, sendMail } from '../../clients/mail.ts';
import { postWebhook, type WebhookAnswer } from '../../clients/webhooks.ts';
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import type { JsonObject } from '../../schema/json.ts';
import type { DeliverInput, DeliveryTry } from '../../schema/pipeline-flow.ts';
import { readAuthorities } from '../../schema/tls.ts';
import { authorizeOutgoing, forget } from '../../services/access/outgoing.ts';
import { mailOf } from '../../services/notifications/mail-text.ts';
import { webhookKeys } from '../../services/notifications/secret.ts';
import { findNotification, type NotificationRow, noteTry } from '../../stores/notifications.ts';

const FIRST_WAIT_SECONDS = 2;
const LONGEST_WAIT_SECONDS = 3_600;

/** Resolves whatever the other side does; the row says how the try went. */
export async function tryDelivery(
  deps: Deps,
  input: DeliverInput & { workflow_id: string; count: number; left_seconds: number },
  signal: AbortSignal,
): Promise<DeliveryTry> {
  const { notification_id, workflow_id, count, left_seconds } = input;
  const row = await findNotification(deps.db, notification_id);
  if (!row || row.workflow_id !== workflow_id) {
    return { done: false, final: true, wait_seconds: 0, error: 'The notification is gone' };
  }
  // A repeat of a try that went well and whose answer was lost.
  if (row.status === 'delivered') return { done: true };
  const answer = row.kind === 'email' ? await byMail(deps, row) : await byWebhook(deps, row, signal);
  if (answer.delivered) {
    await noteTry(deps.db, notification_id, { delivered: true });
    return { done: true };
  }
  const { error, retryAfterSeconds } = answer;
  const wait = Math.max(waitAfter(count), retryAfterSeconds ?? 0);
  const final = answer.final || wait >= left_seconds;
  await noteTry(deps.db, notification_id, { delivered: false, error, waitSeconds: final ? null : wait });
  return { done: false, final, wait_seconds: wait, error };
}

/** 2 s, 4 s, 8 s, … at most an hour. */
export function waitAfter(count: number): number {
  return Math.min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** Math.min(count - 1, 30));
}

async function byWebhook(deps: Deps, row: NotificationRow, signal: AbortSignal): Promise<WebhookAnswer> {
  const { owner, credential, notification_id, target } = row;
  try {
    const headers = credential === null ? {} : await authorizeOutgoing(deps, owner, credential);
    const keys = webhookKeys(deps.config, owner);
    const message = { url: target, id: notification_id, body: JSON.stringify(row.body), keys, headers, signal };
    const answer = await postWebhook(deps.egress, message);
    // A token that was refused is asked for anew by the next try.
    if (!answer.delivered && credential !== null && / answered 401$/.test(answer.error))
      forget(deps, owner, credential, headers);
    return answer;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    // A credential that was taken away may be put back within the day.
    return { delivered: false, error: error.message, final: false, retryAfterSeconds: null };
  }
}

async function byMail(deps: Deps, row: NotificationRow): Promise<WebhookAnswer> {
  const { SMTP_URL, MAIL_FROM } = deps.config;
  if (SMTP_URL === undefined) {
    return { delivered: false, error: 'No mail server is set (SMTP_URL)', final: false, retryAfterSeconds: null };
  }
  try {
    const text = mailOf(row.event, row.body as JsonObject, deps.config.publicUrl);
    const mail = { from: MAIL_FROM, to: row.target, id: row.notification_id, ...text };
    await sendMail(SMTP_URL, mail, readAuthorities(deps.config));
    return { delivered: true };
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    return { delivered: false, error: words.slice(0, 500), final: isPermanent(error), retryAfterSeconds: null };
  }
}
