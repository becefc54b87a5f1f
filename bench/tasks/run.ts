/** Rows (p-b), (p-c), (p-d): tasks beside bare workflows, more agents, and how soon an agent hears of a task. */
import { randomUUID } from 'node:crypto';
import { median, type Row } from '../row.ts';
import { type Bench, type BenchAgent, inParallel, openBench, startAgent, submit, until } from './stand.ts';

const THROUGHPUT_TASKS = 200;
const THROUGHPUT_ROUNDS = 3;
const AT_ONCE = 40;
const SLEEP_MS = 3_000;
const PLACES = 4;
const SLEEPING_TASKS = 64;
const LATENCY_ROUNDS = 61;

const ROWS = { 'p-b': throughput, 'p-c': scaling, 'p-d': latency };

/** All rows, or those named. */
export async function benchTasks(wanted: (keyof typeof ROWS)[] = ['p-b', 'p-c', 'p-d']): Promise<Row[]> {
  const bench = await openBench({ MAX_CONCURRENT_TASKS: '400' });
  try {
    const rows: Row[] = [];
    for (const id of wanted) rows.push(await ROWS[id](bench));
    return rows;
  } finally {
    await bench.close();
  }
}

async function throughput(bench: Bench): Promise<Row> {
  const agent = await startAgent(bench.system, 'noop', { concurrency: 400, onTask: () => {} });
  const ours: number[] = [];
  const bare: number[] = [];
  // The first round of each warms both sides.
  for (let round = 0; round <= THROUGHPUT_ROUNDS; round++) {
    const ourRate = await rate(
      () => submit(bench.system),
      () => completedTasks(bench),
    );
    const bareRate = await rate(() => bench.startBare(randomUUID()), bench.closedBare);
    if (round === 0) continue;
    ours.push(ourRate);
    bare.push(bareRate);
  }
  await agent.close();
  const share = median(ours) / median(bare);
  return {
    id: 'p-b',
    what: 'tasks per second with no-op agents, relative to bare workflows with one activity',
    value: `${share.toFixed(2)} (${median(ours).toFixed(0)}/s beside ${median(bare).toFixed(0)}/s)`,
    target: '≥ 0.7',
    met: share >= 0.7,
  };
}

/** Tasks a second, from the first submission until all have ended. */
async function rate(start: () => Promise<unknown>, count: () => Promise<number>): Promise<number> {
  const before = await count();
  const started = performance.now();
  await inParallel(THROUGHPUT_TASKS, AT_ONCE, start);
  await until(async () => (await count()) >= before + THROUGHPUT_TASKS);
  return THROUGHPUT_TASKS / ((performance.now() - started) / 1000);
}

async function completedTasks({ database }: Bench): Promise<number> {
  const { rows } = await database.query(
    "SELECT count(*)::int AS n FROM workflow_runs WHERE type = 'runTask' AND status = 'completed'",
  );
  return rows[0].n;
}

async function scaling(bench: Bench): Promise<Row> {
  const one = await sleeping(bench, 1);
  const four = await sleeping(bench, 4);
  const factor = one / four;
  return {
    id: 'p-c',
    what: `${SLEEPING_TASKS} tasks of ${SLEEP_MS} ms on four agents of ${PLACES} places, relative to one`,
    value: `${factor.toFixed(2)} times (${(one / 1000).toFixed(1)} s with one, ${(four / 1000).toFixed(1)} s with four)`,
    target: '≥ 3.6 times',
    met: factor >= 3.6,
  };
}

async function sleeping(bench: Bench, count: number): Promise<number> {
  const agents: BenchAgent[] = [];
  for (let n = 0; n < count; n++) {
    const onTask = () => new Promise<void>((resolve) => setTimeout(resolve, SLEEP_MS));
    agents.push(await startAgent(bench.system, `sleeper-${count}-${n}`, { concurrency: PLACES, onTask }));
  }
  const before = await completedTasks(bench);
  const started = performance.now();
  await inParallel(SLEEPING_TASKS, AT_ONCE, () => submit(bench.system));
  await until(async () => (await completedTasks(bench)) >= before + SLEEPING_TASKS);
  const took = performance.now() - started;
  for (const agent of agents) await agent.close();
  return took;
}

async function latency(bench: Bench): Promise<Row> {
  const ours: number[] = [];
  const bare: number[] = [];
  let heard = (_id: string): void => {};
  const agent = await startAgent(bench.system, 'listener', { concurrency: 5, onTask: (id) => heard(id) });
  for (let round = 0; round < LATENCY_ROUNDS; round++) {
    const id = randomUUID();
    bare.push(
      await timed((done) => {
        bench.onBare(done);
        return bench.startBare(id);
      }),
    );
    await bench.closed(`bare-${id}`);
    let submitted = '';
    ours.push(
      await timed(async (done) => {
        heard = done;
        submitted = await submit(bench.system);
      }),
    );
    await until(async () => submitted !== '');
    await bench.closed(submitted);
  }
  await agent.close();
  const share = median(ours) / median(bare);
  return {
    id: 'p-d',
    what: "from a task's submission to the agent's receipt, relative to a bare workflow start and one activity",
    value: `${share.toFixed(2)} (${median(ours).toFixed(1)} ms beside ${median(bare).toFixed(1)} ms)`,
    target: '≤ 1.3',
    met: share <= 1.3,
  };
}

function timed(begin: (done: () => void) => Promise<unknown>): Promise<number> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    begin(() => resolve(performance.now() - started)).catch(reject);
  });
}
