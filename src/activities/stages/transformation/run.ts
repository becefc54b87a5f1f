/** `transformation`: SQL, or steps one upon another, as one SELECT that the engine plans whole. */
import type { StageOutput } from '../../../schema/stages/contract.ts';
import type { TransformationConfig } from '../../../schema/stages/transformation.ts';
import type { UserSql } from '../engine/messages.ts';
import { type Job, mainInput, openSession, writeDataset } from '../job.ts';
import { type NumberedStep, planSteps, stepsOf } from './steps.ts';

export async function transform(job: Job<TransformationConfig>): Promise<StageOutput> {
  const input = mainInput(job);
  const { sql } = job.config;
  const steps = sql === undefined ? stepsOf(job.config) : [];
  if (sql === undefined && steps.length === 0) return unchanged(input, 0);
  const userSql: UserSql[] = sql === undefined ? steps.flatMap(expressionsOf) : [{ path: 'sql', kind: 'select', sql }];
  const session = await openSession(job, { userSql });
  try {
    job.progress(0.05, 'Transforming');
    let select = '';
    if (sql === undefined) {
      select = await planSteps(job, session, steps);
    } else {
      // A view takes the text as it is, with comments and a last semicolon, which a COPY around it would not.
      await session.run(`CREATE VIEW __result AS ${sql}`, { at: 'sql' });
      select = 'SELECT * FROM __result';
    }
    const dataset = await writeDataset(job, session, select, { at: sql === undefined ? 'steps' : 'sql' });
    return {
      dataset,
      artifacts: [],
      summary: {
        rows_in: input.rows,
        rows: dataset.rows,
        columns: dataset.columns.length,
        steps: sql === undefined ? steps.length : 1,
      },
    };
  } finally {
    await session.close();
  }
}

function unchanged(dataset: StageOutput['dataset'], steps: number): StageOutput {
  const rows = dataset?.rows ?? 0;
  return { dataset, artifacts: [], summary: { rows_in: rows, rows, columns: dataset?.columns.length ?? 0, steps } };
}

function expressionsOf({ path, step }: NumberedStep): UserSql[] {
  const found: UserSql[] = [];
  if (step.filter !== undefined) found.push({ path: `${path}filter`, kind: 'expression', sql: step.filter });
  for (const [column, sql] of Object.entries(step.derive ?? {})) {
    found.push({ path: `${path}derive.${column}`, kind: 'expression', sql });
  }
  return found;
}
