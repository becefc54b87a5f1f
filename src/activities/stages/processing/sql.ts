/** A user's SELECT over each batch. */
import type { StageOutput } from '../../../schema/stages/contract.ts';
import type { Session } from '../engine/pool.ts';
import { type Job, mainInput, openSession, POSITION, writeDataset } from '../job.ts';
import { list } from '../quote.ts';
import type { BatchPlan } from './plan.ts';

const PLACE = { at: 'sql' };
const PART = 'FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE 122880';

export async function processSql(job: Job<unknown>, sql: string, plan: BatchPlan): Promise<StageOutput> {
  const input = mainInput(job);
  const session = await openBatchSession(job, sql);
  try {
    const done = (dataset: StageOutput['dataset'], workers: number): StageOutput => ({
      dataset,
      artifacts: [],
      summary: {
        rows_in: input.rows,
        rows: dataset?.rows ?? 0,
        batches: plan.batches,
        batch_size: plan.size,
        parallel_workers: workers,
        // Told where it was cut, by STAGE_THREADS or for want of batches.
        ...(workers < plan.workers ? { parallel_workers_asked: plan.workers } : {}),
      },
    });
    // What works row by row gives the same over all rows at once as batch by batch, many times faster.
    if (session.rowWise || plan.batches <= 1) {
      await session.run(`CREATE OR REPLACE VIEW batch AS SELECT * EXCLUDE (${POSITION}) FROM __input`, PLACE);
      await session.run(`CREATE VIEW __result AS ${sql}`, PLACE);
      return done(await writeDataset(job, session, 'SELECT * FROM __result', PLACE), plan.workers);
    }
    const workers = Math.min(plan.workers, job.deps.config.STAGE_THREADS, plan.batches);
    if (workers === 1) {
      await eachBatch(job, session, sql, plan, { from: 0, to: plan.batches });
      return done(await writeDataset(job, session, 'SELECT * FROM __out', PLACE), 1);
    }
    await session.close();
    return done(await sideBySide(job, sql, plan, workers), workers);
  } finally {
    await session.close();
  }
}

const openBatchSession = (job: Job<unknown>, sql: string, split?: { parts: number; part: number }) =>
  openSession(job, { userSql: [{ path: 'sql', kind: 'select', sql, views: ['batch'] }], ...(split ? { split } : {}) });

/** Each engine takes a run of neighbouring batches; their parts are joined in order. */
async function sideBySide(job: Job<unknown>, sql: string, plan: BatchPlan, workers: number) {
  let finished = 0;
  const parts = await Promise.all(
    Array.from({ length: workers }, async (_, part) => {
      const session = await openBatchSession(job, sql, { parts: workers, part });
      try {
        const range = {
          from: Math.floor((part * plan.batches) / workers),
          to: Math.floor(((part + 1) * plan.batches) / workers),
        };
        await eachBatch(job, session, sql, plan, range, () => {
          finished += 1;
          job.progress((0.9 * finished) / plan.batches, `Batch ${finished} of ${plan.batches}`);
        });
        return (await session.copy('SELECT * FROM __out', 'part.parquet', PART, PLACE)).path;
      } finally {
        await session.close();
      }
    }),
  );
  const joined = await openSession(job, { files: parts.map((path, at) => ({ path, label: `part ${at}` })) });
  try {
    return await writeDataset(job, joined, `SELECT * FROM read_parquet(${list(parts)})`, PLACE);
  } finally {
    await joined.close();
  }
}

/** Fills `__out`, whose columns are those of the first batch. */
async function eachBatch(
  job: Job<unknown>,
  session: Session,
  sql: string,
  plan: BatchPlan,
  range: { from: number; to: number },
  tick?: () => void,
): Promise<void> {
  const [first, last] = [range.from * plan.size, range.to * plan.size];
  // Read once: finding a batch in the file again and again costs more than the batch.
  await session.run(
    `CREATE TABLE __all AS SELECT * FROM __input WHERE ${POSITION} >= ${first} AND ${POSITION} < ${last}`,
    PLACE,
  );
  for (let batch = range.from; batch < range.to; batch += 1) {
    const from = batch * plan.size;
    await session.run(
      `CREATE OR REPLACE VIEW batch AS SELECT * EXCLUDE (${POSITION}) FROM __all WHERE ${POSITION} >= ${from} AND ${POSITION} < ${from + plan.size}`,
      PLACE,
    );
    await session.run(`CREATE OR REPLACE VIEW __result AS ${sql}`, PLACE);
    await session.run(
      batch === range.from
        ? 'CREATE TABLE __out AS SELECT * FROM __result'
        : 'INSERT INTO __out SELECT * FROM __result',
      {
        at: `sql, batch ${batch + 1} of ${plan.batches}`,
      },
    );
    if (tick) tick();
    else job.progress((0.9 * (batch + 1)) / plan.batches, `Batch ${batch + 1} of ${plan.batches}`);
  }
}
