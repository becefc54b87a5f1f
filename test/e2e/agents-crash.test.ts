/** A thousand tasks for five agents, while agents, worker, API and Temporal are killed at random moments. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../src/local/ports.ts';
import { type AgentProcess, startAgent } from '../support/agents.ts';
import { type Part, removeDataDir, type System, startSystem } from '../support/system.ts';
import { embeddedDatabaseUrl } from '../support/truth.ts';

const TASKS = 1_000;
const MODES = [
  ['--mode', 'pull', '--concurrency', '10'],
  ['--mode', 'pull', '--concurrency', '10', '--repeat', '2'],
  ['--mode', 'pull', '--concurrency', '10'],
  ['--mode', 'push', '--concurrency', '10'],
  ['--mode', 'push', '--concurrency', '10', '--answer', 'now'],
];
const PARTS: Part[] = ['worker', 'api', 'temporal'];
/** What is killed, one after another; the last ones are agents, so that the house has time to notice them too. */
const KILLS = ['agent', 'worker', 'agent', 'api', 'agent', 'temporal', 'agent', 'worker', 'api', 'agent'] as const;

let system: System;
let agents: AgentProcess[] = [];
let database: pg.Client;

beforeAll(async () => {
  const port = await freePort();
  system = await startSystem({
    POSTGRES_PORT: String(port),
    AGENT_HEARTBEAT_SECONDS: '2',
    EGRESS_ALLOW: '127.0.0.1',
    RATE_LIMIT_WRITE: '0',
    RATE_LIMIT_READ: '0',
    RATE_LIMIT_AGENT: '0',
    LOG_LEVEL: 'error',
  });
  database = new pg.Client({ connectionString: embeddedDatabaseUrl(system.dataDir, port) });
  await database.connect();
  agents = await Promise.all(MODES.map((mode, index) => startAgent(system, `crash-${index}`, mode)));
}, 120_000);
afterAll(async () => {
  await Promise.all(agents.map((agent) => agent.kill()));
  await database?.end();
  await system?.stop();
  if (system) removeDataDir(system);
});

/** Small steps of a fixed sequence. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Submits under a key of its own until the API says that it has it. */
async function submit(index: number): Promise<string> {
  for (;;) {
    try {
      const { status, body } = await system.call(
        'POST',
        '/api/v1/tasks',
        {
          type: 'processing',
          payload: { parameters: { sleep_ms: 100 + (index % 7) * 100, text: `task ${index}` } },
          priority: (['high', 'medium', 'low'] as const)[index % 3],
          timeout: 120,
          retry_count: 5,
          executor: 'agent',
        },
        { 'idempotency-key': `crash-${index}` },
      );
      if (status === 202 || status === 200) return body.task_id;
      if (status < 500) throw new Error(`refused: ${JSON.stringify(body)}`);
    } catch (error) {
      if (error instanceof Error && error.message.startsWith('refused')) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

const count = async (where: string): Promise<number> =>
  Number((await database.query(`select count(*) from tasks where ${where}`)).rows[0].count);

async function kill(what: (typeof KILLS)[number], next: () => number): Promise<void> {
  if (what !== 'agent') return system.killWhenUp(what);
  const index = Math.floor(next() * agents.length);
  await agents[index]?.kill();
  // Somebody starts it again a little later, as a service manager would.
  agents[index] = await startAgent(system, `crash-${index}`, MODES[index]);
}

describe('five agents and a thousand tasks', () => {
  it('all end completed, each accepted once, however often something is killed', async () => {
    const next = random(4);
    const acknowledged: string[] = [];
    const submitting = (async () => {
      for (let index = 0; index < TASKS; index += 20) {
        const ids = await Promise.all(Array.from({ length: 20 }, (_, offset) => submit(index + offset)));
        acknowledged.push(...ids);
      }
    })();
    const killed: string[] = [];
    for (const what of KILLS) {
      await new Promise((resolve) => setTimeout(resolve, 1_500 + next() * 1_500));
      if (acknowledged.length === TASKS && (await count("phase <> 'closed'")) === 0) break;
      await kill(what, next);
      killed.push(what);
    }
    await submitting;
    const until = Date.now() + 240_000;
    while ((await count("phase <> 'closed'")) > 0) {
      if (Date.now() > until) {
        const rows = await database.query("select * from tasks where phase <> 'closed' limit 5");
        throw new Error(`not over: ${await count("phase <> 'closed'")}; ${JSON.stringify(rows.rows, null, 1)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 250));
    }

    // Killed while there was work, each kind of part at least once.
    expect(new Set(killed)).toEqual(new Set(['agent', ...PARTS]));
    expect(new Set(acknowledged).size).toBe(TASKS);
    expect(await count('true')).toBe(TASKS);
    expect(await count("status = 'completed'")).toBe(TASKS);
    expect(await count('slot')).toBe(0);
    const { rows } = await database.query(
      `select t.task_id, count(a.*) filter (where a.status = 'completed') as completions,
              count(distinct a.completion_id) filter (where a.status = 'completed') as results
         from tasks t join task_attempts a using (task_id) group by 1`,
    );
    expect(rows.map((row) => row.task_id).sort()).toEqual([...acknowledged].sort());
    expect(rows.filter((row) => row.completions !== '1' || row.results !== '1')).toEqual([]);
    const told = await database.query(
      `select resource, count(*) from event_log
        where name = 'task.updated' and data->>'status' = 'completed' group by 1 having count(*) <> 1`,
    );
    expect(told.rows).toEqual([]);
    const runs = await database.query(
      "select status, count(*)::int from workflow_runs where type = 'runTask' group by 1",
    );
    expect(runs.rows).toEqual([{ status: 'completed', count: TASKS }]);
  }, 420_000);
});
