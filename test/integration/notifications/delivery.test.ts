/** Notifications to real receivers: signed, tried again, given up, replayed; webhooks in a process of their own, mail by SMTP. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { SMTPServer } from 'smtp-server';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { Failure } from '../../../src/schema/failures.ts';
import { caller, op, openStand, pipeline, type Stand } from '../pipelines/stand.ts';

const ana = caller('developer', { id: 'ana' });
const received: any[] = [];
const mails: { from: string; to: string[]; text: string }[] = [];
let refuse: number | null = null;
let receiver: ChildProcess;
let port: number;
let smtp: SMTPServer;
let stand: Stand;

beforeAll(async () => {
  receiver = spawn(process.execPath, [fileURLToPath(new URL('./receiver.ts', import.meta.url))], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: receiver.stdout as NodeJS.ReadableStream });
  port = await new Promise((resolve) => {
    lines.on('line', (line) => {
      const told = JSON.parse(line);
      if (told.port !== undefined) resolve(told.port);
      else received.push(told);
    });
  });
  smtp = new SMTPServer({
    disabledCommands: ['AUTH', 'STARTTLS'],
    onRcptTo: (_address, _session, callback) => {
      if (refuse === null) callback();
      else callback(Object.assign(new Error('not now'), { responseCode: refuse }));
    },
    onData(stream, session, callback) {
      const parts: Buffer[] = [];
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope;
        const from = mailFrom === false ? '' : mailFrom.address;
        mails.push({ from, to: rcptTo.map(({ address }) => address), text: Buffer.concat(parts).toString() });
        callback();
      });
    },
  });
  const smtpPort = await new Promise<number>((resolve) => {
    const server = smtp.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
  });
  stand = await openStand({
    env: {
      SMTP_URL: `smtp://127.0.0.1:${smtpPort}`,
      MAIL_FROM: 'runs@ostinato.test',
      EGRESS_ALLOW: `127.0.0.1:${port}`,
    },
    operate: (real) => async (call) => {
      if (call.input.fail) throw new Failure('execution_error', 'as asked');
      return real(call);
    },
  });
}, 120_000);
afterAll(async () => {
  await stand?.close();
  await new Promise<void>((resolve) => smtp?.close(resolve));
  receiver?.kill('SIGKILL');
});
beforeEach(() => {
  received.length = 0;
  mails.length = 0;
  refuse = null;
});

const hook = (way: string) => `http://127.0.0.1:${port}/${way}/hook`;
const run = (notification: object, stages: object[] = [op('one')]) =>
  stand.execute(ana, pipeline(stages), { notification });

async function until<T>(look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  for (const end = Date.now() + 45_000; Date.now() < end; ) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('it never came');
}

const notificationOf = (runId: string, holds: (row: any) => boolean) =>
  until(async () => {
    const { items } = await stand.call(ana, 'notifications.list', { run_id: runId });
    return items.find(holds);
  });

test('a webhook is signed so that its receiver can tell, and delivered once', async () => {
  const runId = await run({ webhook: hook('ok') });
  const row = await notificationOf(runId, ({ status }) => status === 'delivered');
  expect(row).toMatchObject({ kind: 'webhook', event: 'pipeline.completed', attempts: 1, last_error: null });
  expect(received).toHaveLength(1);
  const [{ method, headers, body }] = received;
  expect(method).toBe('POST');
  const { secret } = await stand.call(ana, 'notifications.secret');
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const content = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
  expect(headers['webhook-signature']).toBe(`v1,${createHmac('sha256', key).update(content).digest('base64')}`);
  expect(headers['webhook-id']).toBe(row.notification_id);
  expect(JSON.parse(body)).toMatchObject({
    type: 'pipeline.completed',
    data: { run_id: runId, status: 'completed', error: null },
  });
  const other = await stand.call(caller('developer', { id: 'eve' }), 'notifications.secret');
  expect(other.secret).not.toBe(secret);
});

test('a webhook carries the credential that the run names', async () => {
  await stand.call(ana, 'credentials.create', { name: 'hooks', kind: 'bearer', secret: 'a-token-of-theirs' });
  const runId = await run({ webhook: hook('ok'), credential: 'hooks' });
  await notificationOf(runId, ({ status }) => status === 'delivered');
  expect(received[0].headers.authorization).toBe('Bearer a-token-of-theirs');
});

test('the end of a failed run, and an approval that waits, are told too', async () => {
  const failing = await run({ webhook: hook('ok') }, [op('bad', { fail: true })]);
  await notificationOf(failing, ({ status, event }) => event === 'pipeline.failed' && status === 'delivered');
  expect(JSON.parse(received[0].body).data).toMatchObject({
    status: 'failed',
    error: { detail: 'Stage bad: as asked' },
  });
  const asking = await run({ webhook: hook('ok') }, [op('one', {}, { approval: { message: 'go?' } })]);
  await notificationOf(asking, ({ status, event }) => event === 'approval.requested' && status === 'delivered');
  const told = JSON.parse(received[1].body);
  expect(told).toMatchObject({ type: 'approval.requested', data: { run_id: asking, stage: 'one', message: 'go?' } });
  await stand.call(ana, 'approvals.decide', { approval_id: told.data.approval_id, decision: 'approve' });
  await notificationOf(asking, ({ status, event }) => event === 'pipeline.completed' && status === 'delivered');
  await stand.call(ana, 'runs.cancel', {
    run_id: await run({ webhook: hook('ok') }, [op('w', {}, { approval: true })]),
  });
  await until(() => received.find(({ body }) => JSON.parse(body).type === 'pipeline.cancelled'));
});

test('an error, an answer cut off, a redirect and a silence are no delivery, and are tried again', async () => {
  const ways = ['500', 'cut', 'redirect', 'slow'];
  await Promise.all(
    ways.map(async (way) => {
      const runId = await run({ webhook: hook(way) });
      const row = await notificationOf(runId, ({ attempts }) => attempts === 1);
      expect(row, way).toMatchObject({ status: 'pending', delivered_at: null, last_error: expect.stringMatching(/./) });
      const mine = () => received.filter(({ headers }) => headers['webhook-id'] === row.notification_id);
      await until(() => (mine().length > 1 ? true : undefined));
      // Never to where it was sent on.
      expect(new Set(mine().map(({ url }) => url))).toEqual(new Set([`/${way}/hook`]));
      await stand.call(ana, 'workflows.cancel', { workflow_id: `notify-${row.notification_id}` });
      await notificationOf(runId, ({ status }) => status === 'cancelled');
    }),
  );
});

test('410 ends it at once, it is listed and told as undelivered, and can be replayed', async () => {
  const runId = await run({ webhook: hook('410') });
  const row = await notificationOf(runId, ({ status }) => status === 'undelivered');
  expect(row).toMatchObject({ attempts: 1, last_error: expect.stringContaining('410'), next_attempt_at: null });
  const event = await stand.deps.db
    .selectFrom('event_log')
    .select('data')
    .where('name', '=', 'notification.undelivered')
    .where('resource', '=', `run:${runId}`)
    .executeTakeFirstOrThrow();
  expect(event.data).toMatchObject({ notification_id: row.notification_id, attempts: 1 });
  const { items } = await stand.call(ana, 'notifications.list', { status: 'undelivered' });
  expect(items.map(({ notification_id }: any) => notification_id)).toContain(row.notification_id);
  const { notification_id } = row;
  await stand.deps.db
    .updateTable('notifications')
    .set({ target: hook('ok') })
    .where('notification_id', '=', notification_id)
    .execute();
  await stand.call(ana, 'notifications.replay', { notification_id });
  await notificationOf(runId, ({ status }) => status === 'delivered');
  expect(received.map(({ headers }) => headers['webhook-id'])).toEqual([notification_id, notification_id]);
  const eve = caller('developer', { id: 'eve' });
  await expect(stand.call(eve, 'notifications.replay', { notification_id })).rejects.toMatchObject({
    code: 'not_found',
  });
});

test('Retry-After is honoured', async () => {
  const runId = await run({ webhook: hook('later') });
  const row = await notificationOf(runId, ({ attempts }) => attempts === 1);
  const wait = (Date.parse(row.next_attempt_at) - Date.now()) / 1000;
  expect(wait).toBeGreaterThan(60);
  expect(wait).toBeLessThanOrEqual(120);
  await stand.call(ana, 'workflows.cancel', { workflow_id: `notify-${row.notification_id}` });
});

test('mail goes out under an id that a repeat shares', async () => {
  const runId = await run({ email: 'admin@example.com' });
  const row = await notificationOf(runId, ({ status }) => status === 'delivered');
  const [mail] = mails;
  expect(mail).toMatchObject({ from: 'runs@ostinato.test', to: ['admin@example.com'] });
  expect(mail?.text).toContain(`Message-ID: <${row.notification_id}@ostinato.test>`);
  expect(mail?.text).toContain(`Subject: Pipeline run ${runId} completed`);
});

test('a mail server that says no for good ends it, one that says later does not', async () => {
  refuse = 550;
  const gone = await run({ email: 'nobody@example.com' });
  expect(await notificationOf(gone, ({ status }) => status === 'undelivered')).toMatchObject({ attempts: 1 });
  refuse = 451;
  const later = await run({ email: 'busy@example.com' });
  await notificationOf(later, ({ attempts }) => attempts === 1);
  refuse = null;
  await notificationOf(later, ({ status }) => status === 'delivered');
});

test.each([
  [{ webhook: 'http://127.0.0.1:1/hook' }, 'egress_denied', /EGRESS_ALLOW/],
  [{ webhook: 'https://169.254.169.254/latest' }, 'egress_denied', /not public/],
  [{ webhook: 'http://example.com/hook' }, 'egress_denied', /https/],
  [{ webhook: 'https://user:secret@example.com/hook' }, 'egress_denied', /credentials/],
  [{ webhook: 'ftp://example.com/hook' }, 'invalid_input', /webhook/],
  [{ email: 'not mail' }, 'invalid_input', /email/],
  [{ credential: 'none' }, 'invalid_input', /credential/],
])('%j is refused before anything runs', async (notification, code, words) => {
  await expect(run(notification)).rejects.toMatchObject({ code, message: expect.stringMatching(words) });
});
