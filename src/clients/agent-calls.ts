/** What we say to agents over HTTP, signed, and what we make of whatever they answer. */
import { createHmac } from 'node:crypto';
import { Failure } from '../schema/failures.ts';
import type { Json, JsonObject } from '../schema/json.ts';
import type { Priority, TaskType } from '../schema/names.ts';
import { refused, unreachable } from './agent-refusals.ts';
import type { Egress, EgressHead } from './egress.ts';

/** Most bytes of an answer: as much as a callback may hold. */
const MAX_ANSWER_BYTES = 1024 * 1024;
/** Of a health answer only the status counts. */
const MAX_HEALTH_BYTES = 64 * 1024;
const MAX_DETAIL_CHARACTERS = 500;
const STATUS_MS = 10_000;
const HEALTH_MS = 3_000;
/** The body of a call to `endpoints.task`. */
export interface AgentTask {
  task_id: string;
  attempt: number;
  type: TaskType;
  payload: JsonObject;
  timeout_seconds: number;
  /** RFC 3339: what comes later is ignored. */
  deadline: string;
  priority: Priority;
  pipeline_id: string | null;
  stage: number | null;
}

/** Where an agent reports to that answered 202, and where it gets rows that its payload does not hold. */
export interface AgentCallbacks {
  input: string;
  progress: string;
  complete: string;
  fail: string;
  logs: string;
}

/** An endpoint, and what makes us believable there. */
export interface AgentTarget {
  url: string;
  /** Keys to sign with, each giving one signature: the SHA-256 of every live token of the agent. */
  keys: Buffer[];
  /** What its operator's credential adds. */
  headers: Record<string, string>;
}

/** `result` of a plain JSON value is `{value}`; of an empty body `{}`. */
export type AgentAnswer = { status: 200; result: JsonObject } | { status: 202 };

export interface AgentStatusAnswer {
  /** `unknown`: it has never heard of the attempt, or speaks in words that we do not know. */
  status: 'running' | 'completed' | 'failed' | 'unknown';
  /** 0 to 1; null when it does not say. */
  progress: number | null;
  result: JsonObject;
  error: string | null;
}

export type HealthAnswer = { ok: boolean; latency_ms: number; detail: string | null };

/**
 * Headers of Standard Webhooks 1.0: `webhook-id`, `webhook-timestamp` (seconds) and `webhook-signature`, which holds
 * `v1,<base64 of HMAC-SHA256 over "id.timestamp.body">` for each key, separated by spaces.
 */
export function signWebhook(
  keys: Buffer[],
  message: { id: string; body: string; timestamp?: number },
): Record<string, string> {
  const timestamp = message.timestamp ?? Math.floor(Date.now() / 1000);
  const content = `${message.id}.${timestamp}.${message.body}`;
  return {
    'webhook-id': message.id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': keys
      .map((key) => `v1,${createHmac('sha256', key).update(content).digest('base64')}`)
      .join(' '),
  };
}

/**
 * Hands over a task. Throws Failure: `agent_unreachable` when it cannot be reached, answers too late, or with 502, 503,
 * 504, 408, 425 or 429, whose Retry-After goes along; `agent_failed` with what it says for other statuses, and for an
 * answer that is no JSON, too much, or a redirect; `egress_denied` when its address may not be called.
 */
export async function postTask(
  egress: Egress,
  target: AgentTarget,
  task: AgentTask & { callbacks: AgentCallbacks },
  options: { timeoutMs: number; signal?: AbortSignal },
): Promise<AgentAnswer> {
  const body = JSON.stringify(task);
  const answer = await call(egress, target, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...signWebhook(target.keys, { id: `${task.task_id}/${task.attempt}`, body }),
    },
    body,
    maxBytes: MAX_ANSWER_BYTES,
    ...options,
  });
  if (answer.status === 202) return { status: 202 };
  if (answer.status === 200) return { status: 200, result: resultOf(answer.body, hostOf(target.url)) };
  throw refusal(answer, hostOf(target.url));
}

/** Asks `endpoints.status` how an attempt goes, in whatever words it uses. Throws like `postTask`. */
export async function askStatus(
  egress: Egress,
  target: AgentTarget,
  attempt: { task_id: string; attempt: number },
  signal?: AbortSignal,
): Promise<AgentStatusAnswer> {
  const answer = await call(
    egress,
    { ...target, url: attemptUrl(target.url, attempt) },
    {
      headers: signWebhook(target.keys, { id: `${attempt.task_id}/${attempt.attempt}/status`, body: '' }),
      timeoutMs: STATUS_MS,
      maxBytes: MAX_ANSWER_BYTES,
      ...(signal ? { signal } : {}),
    },
  );
  if (answer.status === 404) return { status: 'unknown', progress: null, result: {}, error: null };
  if (answer.status !== 200) throw refusal(answer, hostOf(target.url));
  const said = parse(answer.body);
  if (!isObject(said)) throw new Failure('agent_failed', `${hostOf(target.url)} tells its status in no JSON object`);
  return {
    status: WORDS[String(said.status ?? said.state ?? '').toLowerCase()] ?? 'unknown',
    progress: typeof said.progress === 'number' ? Math.min(1, Math.max(0, said.progress)) : null,
    result: asResult(said.result ?? null),
    error: said.error === undefined || said.error === null ? null : sayable(said.error),
  };
}

/**
 * Says that an attempt is no longer wanted: DELETE `endpoints.task` with `task_id` and `attempt`. An agent need not know
 * of it. Never throws, unless `signal` is aborted.
 */
export async function withdrawTask(
  egress: Egress,
  target: AgentTarget,
  attempt: { task_id: string; attempt: number },
  signal?: AbortSignal,
): Promise<{ told: boolean }> {
  try {
    const { status } = await call(
      egress,
      { ...target, url: attemptUrl(target.url, attempt) },
      {
        method: 'DELETE',
        headers: signWebhook(target.keys, { id: `${attempt.task_id}/${attempt.attempt}/cancel`, body: '' }),
        timeoutMs: STATUS_MS,
        maxBytes: MAX_HEALTH_BYTES,
        ...(signal ? { signal } : {}),
      },
    );
    return { told: status >= 200 && status <= 299 };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { told: false };
  }
}

function attemptUrl(endpoint: string, { task_id, attempt }: { task_id: string; attempt: number }): string {
  const url = new URL(endpoint);
  url.searchParams.set('task_id', task_id);
  url.searchParams.set('attempt', String(attempt));
  return url.href;
}

/** Words for how a task goes, as agents may use them. */
const WORDS: Record<string, AgentStatusAnswer['status']> = {
  ...words('running', 'running pending queued accepted assigned processing in_progress working retrying'),
  ...words('completed', 'completed complete done success succeeded finished'),
  ...words('failed', 'failed failure error cancelled canceled'),
};

function words(status: AgentStatusAnswer['status'], list: string): Record<string, AgentStatusAnswer['status']> {
  return Object.fromEntries(list.split(' ').map((word) => [word, status]));
}

/** Whether `endpoints.health` answers with 2xx within 3 s. Never throws, unless `signal` is aborted. */
export async function askHealth(egress: Egress, target: AgentTarget, signal?: AbortSignal): Promise<HealthAnswer> {
  const started = performance.now();
  const ended = (ok: boolean, detail: string | null) => ({
    ok,
    latency_ms: Math.round(performance.now() - started),
    detail,
  });
  try {
    const { status } = await call(egress, target, {
      timeoutMs: HEALTH_MS,
      maxBytes: MAX_HEALTH_BYTES,
      ...(signal ? { signal } : {}),
    });
    const ok = status >= 200 && status <= 299;
    return ended(ok, ok ? null : `answered ${status}`);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return ended(false, error.message);
  }
}

type Answer = EgressHead & { body: Buffer };

async function call(egress: Egress, target: AgentTarget, request: Parameters<Egress['fetch']>[1]): Promise<Answer> {
  try {
    return await egress.fetch(target.url, {
      ...request,
      headers: { accept: 'application/json', ...target.headers, ...request?.headers },
    });
  } catch (error) {
    throw unreachable(error);
  }
}

function refusal({ status, headers, body }: Answer, host: string): Failure {
  return refused(status, headers['retry-after'], host, detailOf(body));
}

/** What a refusal says for people, in any of the usual fields. */
function detailOf(body: Buffer): string {
  const said = parse(body);
  if (!isObject(said)) return '';
  return sayable(said.detail ?? said.message ?? said.error ?? said.title ?? '');
}

/** Somebody else's words, short and on one line. */
export function sayable(value: Json): string {
  const inner = isObject(value) ? (value.message ?? value.detail ?? value) : value;
  const text = typeof inner === 'string' ? inner : JSON.stringify(inner);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').trim();
  return line.length > MAX_DETAIL_CHARACTERS ? `${line.slice(0, MAX_DETAIL_CHARACTERS - 1)}…` : line;
}

function resultOf(body: Buffer, host: string): JsonObject {
  if (body.length === 0) return {};
  const value = parse(body);
  if (value === undefined) throw new Failure('agent_failed', `${host} answered 200 with what is no JSON`);
  return asResult(value);
}

function asResult(value: Json): JsonObject {
  if (value === null) return {};
  return isObject(value) ? value : { value };
}

function parse(body: Buffer): Json | undefined {
  try {
    return JSON.parse(body.toString()) as Json;
  } catch {
    return undefined;
  }
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function hostOf(url: string): string {
  return new URL(url).host;
}
