/** Two API processes as they really run, on one database: what is made through one is heard through the other. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Deps } from '../../../src/deps.ts';
import { type Database, openDatabase } from '../../../src/stores/database.ts';
import { type ApiProcess, startApiProcess } from '../../support/api-process.ts';
import { type TestStack, testStack } from '../../support/stack.ts';
import { makeKey } from '../api/stand.ts';
import { readStream } from './sse.ts';
import { connect, type Message } from './stage.ts';

const LIMIT = 40;
/** A process holds a twentieth of a limit ready for a caller, and may have asked for another one ahead. */
const HANDFUL = LIMIT / 20;
const SETTINGS = { API_KEY: 'the-admin-key-of-this-test-0123456789', RATE_LIMIT_READ: String(LIMIT) };

let stack: TestStack;
let database: Database;
const running: ApiProcess[] = [];
let one: ApiProcess;
let two: ApiProcess;

async function start(): Promise<ApiProcess> {
  const api = await startApiProcess(stack, SETTINGS);
  running.push(api);
  return api;
}

beforeAll(async () => {
  stack = await testStack();
  database = openDatabase(stack.databaseUrl, { max: 2 });
  [one, two] = await Promise.all([start(), start()]);
}, 60_000);
afterAll(async () => {
  await Promise.all(running.map((api) => api.end('SIGTERM')));
  await database?.close();
  await stack?.close();
});

const socketsOf = ({ port }: ApiProcess) => ({ url: `ws://127.0.0.1:${port}/ws` });
const someone = async () => (await makeKey({ db: database.db } as Deps, 'analyst')).key;

/** A task submitted through this process; resolves with its id. */
async function submit(api: ApiProcess, token: string): Promise<string> {
  const answer = await fetch(`${api.url}/api/v1/tasks`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ type: 'analysis', payload: {}, executor: 'agent' }),
  });
  expect(answer.status).toBe(202);
  return ((await answer.json()) as { task_id: string }).task_id;
}
/** So many at once, through both in turn. */
const submitMany = (count: number, token: string) =>
  Promise.all(Array.from({ length: count }, (_, n) => submit(n % 2 ? two : one, token)));

/** Waits for the event of the task that was submitted after all others: with it, all before it have come. */
async function untilTask(client: { events(): Message[] }, taskId: string): Promise<Message[]> {
  await expect.poll(() => client.events().some(({ task_id }) => task_id === taskId), { timeout: 10_000 }).toBe(true);
  return client.events().slice(0, client.events().findIndex(({ task_id }) => task_id === taskId) + 1);
}
const seqs = (events: Message[]) => events.map(({ seq }) => seq as string);

it('a client of one hears what is made through the other, and goes on there where it was, by either protocol', async () => {
  const token = await someone();
  const client = await connect(socketsOf(one), { token });
  const [first, last] = [await submitMany(20, token), await submit(two, token)];
  const heard = await untilTask(client, last);
  expect(new Set(heard.map(({ task_id }) => task_id))).toEqual(new Set([...first, last]));
  const at = heard[Math.floor(heard.length / 2)]?.seq as string;
  await client.close();

  await submitMany(10, token);
  // More is written while it comes back, on the other one.
  const [again, during] = await Promise.all([connect(socketsOf(two), { token, resume: at }), submitMany(10, token)]);
  expect(await again.heard('resumed')).toEqual({ type: 'resumed', after: at });
  const end = await submit(one, token);
  const resumed = seqs(await untilTask(again, end));
  expect(during).toHaveLength(10);

  const whole = await connect(socketsOf(one), { token, resume: '0' });
  const all = seqs(await untilTask(whole, end));
  expect(new Set(all).size).toBe(all.length);
  expect(all.slice(0, heard.length)).toEqual(seqs(heard));
  expect(resumed).toEqual(all.slice(all.indexOf(at) + 1));
  const streamed = await readStream(one, { token, after: at, count: resumed.length });
  expect(streamed.map(({ seq }) => seq)).toEqual(resumed);
  await again.close();
  await whole.close();
});

it('nothing is lost or doubled for a client whose process is killed', async () => {
  const token = await someone();
  const third = await start();
  const client = await connect(socketsOf(third), { token });
  const before = await submitMany(6, token);
  const heard = await untilTask(client, await submit(third, token));
  const [ids] = await Promise.all([submitMany(10, token), third.end('SIGKILL')]);
  const { code } = await client.closed;
  expect(code).toBe(1006);
  const kept = client.events();
  const again = await connect(socketsOf(two), { token, resume: kept.at(-1)?.seq as string });
  const later = await untilTask(again, await submit(one, token));
  const all = [...kept, ...later];
  expect(new Set(seqs(all)).size).toBe(all.length);
  expect(all.map(({ task_id }) => task_id)).toEqual(expect.arrayContaining([...before, ...ids]));
  expect(kept.length).toBeGreaterThanOrEqual(heard.length);
  await again.close();
});

it('one limit of a caller holds for the sockets and calls of both', async () => {
  const token = await someone();
  const signIn = async (api: ApiProcess) => {
    const client = await connect(socketsOf(api));
    client.send({ type: 'auth', token });
    const ready = await Promise.race([client.heard('ready').then(() => true as const), client.closed]);
    if (ready !== true) expect(ready.code).toBe(4429);
    await client.close();
    return ready === true;
  };
  const call = async (api: ApiProcess) => {
    const answer = await fetch(`${api.url}/api/v1/whoami`, { headers: { authorization: `Bearer ${token}` } });
    await answer.body?.cancel();
    return answer.status === 200;
  };
  let granted = 0;
  for (let round = 0; round < LIMIT / 2; round++) {
    const answers = await Promise.all([signIn(one), call(one), signIn(two), call(two)]);
    granted += answers.filter(Boolean).length;
    if (!answers.includes(true)) break;
  }
  expect(granted).toBeLessThanOrEqual(LIMIT);
  expect(granted).toBeGreaterThanOrEqual(LIMIT - 4 * HANDFUL);
  for (const api of [one, two]) expect([await signIn(api), await call(api)]).toEqual([false, false]);
  // Of this caller alone.
  const other = await connect(socketsOf(one), { token: await someone() });
  await other.close();
});
