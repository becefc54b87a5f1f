#!/usr/bin/env node
/** A small real agent: registers itself, heartbeats, and does tasks that are pushed to it or that it pulls. Node alone. */
import { createHash, createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:8080' },
    /** API key of whoever registers the agent. */
    key: { type: 'string', default: process.env.OSTINATO_API_KEY ?? '' },
    name: { type: 'string', default: `agent-${process.pid}` },
    type: { type: 'string', default: 'worker' },
    capabilities: { type: 'string', default: 'task-execution' },
    /** push: it is called at --address; pull: it asks for tasks. */
    mode: { type: 'string', default: 'pull' },
    port: { type: 'string', default: '0' },
    host: { type: 'string', default: '127.0.0.1' },
    /** Where the server reaches this agent; http://host:port when absent. */
    address: { type: 'string' },
    concurrency: { type: 'string', default: '1' },
    /** push: `now` answers 200 with the result, `later` 202 and calls back. */
    answer: { type: 'string', default: 'later' },
    /** For tests: die on the nth task, take so long before answering, answer 500, complete so many times over. */
    'die-on': { type: 'string', default: '0' },
    'slow-ms': { type: 'string', default: '0' },
    'answer-500': { type: 'boolean', default: false },
    repeat: { type: 'string', default: '1' },
    'no-heartbeat': { type: 'boolean', default: false },
  },
});

type Json = Record<string, unknown>;
interface Task {
  task_id: string;
  attempt: number;
  type: string;
  payload: Json;
  deadline: string;
}
interface Work {
  status: 'running' | 'completed' | 'failed';
  progress: number;
  result: Json;
  error: string | null;
  stop: AbortController;
}

const concurrency = Number(options.concurrency);
const work = new Map<string, Work>();
const idOf = (task: { task_id: string; attempt: number | string }) => `${task.task_id}/${task.attempt}`;
/** What is not over before its last answer has arrived. */
const open = new Set<Promise<unknown>>();
let running = 0;
const say = (event: string, more: Json = {}) => process.stdout.write(`${JSON.stringify({ event, ...more })}\n`);
let self = { agent_id: '', token: '', heartbeat: 15 };
let draining = false;
let taken = 0;

function track(promise: Promise<unknown>): void {
  const kept = promise.catch(() => undefined).finally(() => open.delete(kept));
  open.add(kept);
}

/** Calls the server; tries again while it is away or busy, until `until` (milliseconds since the epoch). */
async function api(
  method: string,
  path: string,
  body: Json,
  until = 0,
  key = self.token,
): Promise<{ status: number; body: Json }> {
  for (let pause = 100; ; pause = Math.min(pause * 2, 2_000)) {
    try {
      const response = await fetch(`${options.url}/api/v1${path}`, {
        method,
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(60_000),
      });
      const answer = (await response.json().catch(() => ({}))) as Json;
      if ((response.status < 500 && response.status !== 429) || Date.now() > until)
        return { status: response.status, body: answer };
    } catch (error) {
      if (Date.now() > until) throw error;
    }
    await sleep(pause * (0.5 + Math.random()));
  }
}

async function register(address: string | null): Promise<void> {
  const endpoints = address
    ? { task: `${address}/task`, status: `${address}/status`, health: `${address}/health` }
    : {};
  const capabilities = options.capabilities.split(',').filter(Boolean);
  const { name, type } = options;
  const { status, body } = await api(
    'POST',
    '/agents/register',
    { name, type, capabilities, endpoints, max_concurrency: concurrency },
    Date.now() + 60_000,
    options.key,
  );
  if (status > 201) throw new Error(`registration was refused (${status}): ${body.detail}`);
  self = {
    agent_id: String(body.agent_id),
    token: String(body.token),
    heartbeat: Number(body.heartbeat_interval_seconds),
  };
  // It may have been drained when it last stopped.
  await api('POST', `/agents/${self.agent_id}/activate`, {}, Date.now() + 10_000);
}

/** The load is the share of one processor that this process used since the last heartbeat. */
async function heartbeats(address: string | null): Promise<never> {
  let [cpu, at] = [process.cpuUsage(), Date.now()];
  for (;;) {
    await sleep(self.heartbeat * 1_000 * (0.9 + Math.random() * 0.1));
    const used = process.cpuUsage(cpu);
    const load = Math.min(1, (used.user + used.system) / 1_000 / Math.max(1, Date.now() - at));
    [cpu, at] = [process.cpuUsage(), Date.now()];
    const answer = await api('POST', `/agents/${self.agent_id}/heartbeat`, { current_load: load }).catch(() => null);
    // Deleted, or its token was replaced by another of this name: it registers anew.
    if (answer && (answer.status === 401 || answer.status === 404) && !draining)
      await register(address).catch(() => undefined);
  }
}

/** Does the task once, however often it comes: its attempt is the key. */
function begin(task: Task, report: boolean): { work: Work; done: Promise<void> } {
  const one: Work = { status: 'running', progress: 0, result: {}, error: null, stop: new AbortController() };
  work.set(idOf(task), one);
  if (work.size > 10_000) for (const [id, old] of work) if (old.status !== 'running' && work.delete(id)) break;
  taken += 1;
  running += 1;
  if (taken === Number(options['die-on'])) process.kill(process.pid, 'SIGKILL');
  const done = perform(task, one, report)
    .then(
      (result) => void Object.assign(one, { status: 'completed', progress: 1, result }),
      (error) => void Object.assign(one, { status: 'failed', error: String(error?.message ?? error) }),
    )
    .finally(() => {
      running -= 1;
    });
  return { work: one, done };
}

/** `payload.parameters`: `sleep_ms` sleeps, `text` counts words, `fail` fails; otherwise there is nothing to do. */
async function perform(task: Task, one: Work, report: boolean): Promise<Json> {
  const parameters = (task.payload.parameters ?? {}) as { sleep_ms?: number; text?: string; fail?: string };
  const total = Math.max(0, Number(parameters.sleep_ms ?? 0)) + Number(options['slow-ms']);
  const started = Date.now();
  while (Date.now() < started + total) {
    await sleep(Math.min(1_000, started + total - Date.now()), undefined, { signal: one.stop.signal });
    one.progress = Math.min(0.99, (Date.now() - started) / total);
    if (report && total > 1_000) await tell(task, 'progress', { progress: one.progress }).catch(() => undefined);
  }
  if (parameters.fail !== undefined) throw new Error(parameters.fail);
  if (parameters.text === undefined) return { agent: options.name, slept_ms: total };
  const words =
    String(parameters.text)
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu) ?? [];
  if (report) await tell(task, 'logs', { logs: [{ level: 'info', message: `counted ${words.length} words` }] });
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  const top = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 10);
  return { agent: options.name, words: words.length, distinct: counts.size, top: Object.fromEntries(top) };
}

const tell = (task: Task, what: string, body: Json) =>
  api('POST', `/tasks/${task.task_id}/${what}`, { attempt: task.attempt, ...body }, Date.parse(task.deadline));

/** Does it and calls back with how it ended. */
async function work202(task: Task): Promise<void> {
  const { work: one, done } = begin(task, true);
  await done;
  if (one.stop.signal.aborted) return;
  for (let n = 0; n < Number(options.repeat); n++) {
    const ended =
      one.status === 'completed' ? ['complete', { result: one.result }] : ['fail', { error: { message: one.error } }];
    await tell(task, ended[0] as string, ended[1] as Json).catch(() => undefined);
  }
}

/** Standard Webhooks: the key is the SHA-256 of our token, a timestamp more than five minutes off is a replay. */
function isSigned(request: IncomingMessage, body: string): boolean {
  const [id, at, given] = ['id', 'timestamp', 'signature'].map((part) =>
    String(request.headers[`webhook-${part}`] ?? ''),
  );
  if (Math.abs(Date.now() / 1_000 - Number(at)) > 300) return false;
  const key = createHash('sha256').update(self.token).digest();
  const wanted = Buffer.from(`v1,${createHmac('sha256', key).update(`${id}.${at}.${body}`).digest('base64')}`);
  return String(given)
    .split(' ')
    .some((one) => one.length === wanted.length && timingSafeEqual(Buffer.from(one), wanted));
}

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const answer = (status: number, body: Json) =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  const url = new URL(request.url ?? '/', 'http://agent');
  if (url.pathname === '/health') return answer(200, { status: 'ok', running });
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks).toString();
  if (!isSigned(request, body)) return answer(401, { detail: 'The signature is not right' });
  const known = work.get(
    idOf({ task_id: url.searchParams.get('task_id') ?? '', attempt: url.searchParams.get('attempt') ?? '' }),
  );
  if (url.pathname === '/status') {
    return known
      ? answer(200, { status: known.status, progress: known.progress, result: known.result, error: known.error })
      : answer(404, {});
  }
  if (url.pathname !== '/task') return answer(404, {});
  if (request.method === 'DELETE') {
    known?.stop.abort();
    return answer(202, {});
  }
  const task = JSON.parse(body) as Task;
  if (options['answer-500']) return answer(500, { detail: 'Asked to answer 500' });
  if (Date.parse(task.deadline) < Date.now()) return answer(400, { detail: 'The deadline has passed' });
  const before = work.get(idOf(task));
  if (before?.status === 'completed') return answer(200, before.result);
  if (before?.status === 'running') return answer(202, {});
  if (draining || running >= concurrency) return answer(503, { detail: draining ? 'Draining' : 'Busy' });
  if (options.answer === 'later') {
    answer(202, {});
    return work202(task);
  }
  const { work: one, done } = begin(task, false);
  await done;
  return one.status === 'completed' ? answer(200, one.result) : answer(422, { detail: one.error });
}

/** Asks for as many tasks as it has room for; the server answers when there is one. */
async function pull(): Promise<void> {
  while (!draining) {
    const claim = { max: concurrency - open.size, wait_seconds: 20, claim_id: randomUUID() };
    const { status, body } = await api(
      'POST',
      `/agents/${self.agent_id}/tasks/claim`,
      claim,
      Date.now() + 600_000,
    ).catch(() => ({ status: 0, body: {} as Json }));
    for (const task of status === 200 ? ((body.tasks ?? []) as Task[]) : []) track(work202(task));
    if (status !== 200) await sleep(500);
    if (open.size >= concurrency) await Promise.race(open);
  }
}

async function main(): Promise<void> {
  let address: string | null = null;
  if (options.mode === 'push') {
    const server = createServer((request, response) => {
      track(
        serve(request, response).catch((error) => response.headersSent || response.writeHead(400).end(String(error))),
      );
    });
    await new Promise<void>((resolve) => server.listen(Number(options.port), options.host, resolve));
    const { port } = server.address() as { port: number };
    address = options.address ?? `http://${options.host}:${port}`;
  }
  await register(address);
  say('ready', { agent_id: self.agent_id, address });
  if (!options['no-heartbeat']) void heartbeats(address);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void drain());
  if (options.mode === 'pull') void pull();
}

/** No new tasks; those under way are finished and reported first. */
async function drain(): Promise<void> {
  draining = true;
  say('draining', { running });
  await api('POST', `/agents/${self.agent_id}/drain`, {}).catch(() => undefined);
  // A task may have been on its way when we said so.
  await sleep(200);
  while (open.size > 0) await Promise.all(open);
  say('stopped', { taken });
  process.exit(0);
}

await main();
