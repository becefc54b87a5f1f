/** The vector of a text column, in a column beside it or in the search index. */

import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../../../schema/failures.ts';
import type { StageOutput } from '../../../schema/stages/contract.ts';
import { IndexTarget, type ProcessingConfig } from '../../../schema/stages/processing.ts';
import type { Embedder } from '../../../stores/contract.ts';
import { indexRows } from '../index-rows.ts';
import { type Job, mainInput, openSession, POSITION, writeDataset } from '../job.ts';
import { literal, name } from '../quote.ts';
import type { BatchPlan } from './plan.ts';

/** Embedders cut what is longer; sending more only costs. */
const MAX_CHARACTERS = 8_000;
/** Texts of one batch are in memory here, not in the engine. */
const MAX_BATCH = 2_000;

export async function embedRows(
  job: Job<unknown>,
  embed: NonNullable<ProcessingConfig['embed']>,
  plan: BatchPlan,
): Promise<StageOutput> {
  const dataset = mainInput(job);
  if (!dataset.columns.some((column) => column.name.toLowerCase() === embed.column.toLowerCase())) {
    throw new Failure('invalid_input', `embed.column: there is no column ${embed.column}`);
  }
  if (embed.index) {
    const indexed = await indexRows(job, IndexTarget.parse({ ...embed.index, text: embed.column }), 'embed.index');
    return { dataset, artifacts: [], summary: { rows_in: dataset.rows, rows: dataset.rows, ...indexed } };
  }
  const { embedder } = job.deps;
  if (!embedder) throw new Failure('semantic_unavailable', 'Embeddings are off here');
  const into = embed.into ?? `${embed.column}_vector`;
  const file = join(job.workspace.folder, 'in', 'vectors.csv');
  const written = await writeVectors(job, embedder, embed.column, Math.min(plan.size, MAX_BATCH), file);
  const session = await openSession(job, { files: [{ path: file, label: 'vectors' }] });
  try {
    const type = `FLOAT[${embedder.dimensions}]`;
    const vectors = `read_csv(${literal(file)}, header=false, auto_detect=false, delim='|', quote='', escape='', columns={'position': 'BIGINT', 'vector': 'VARCHAR'})`;
    const select = `SELECT i.* EXCLUDE (${POSITION}), v.vector::${type} AS ${name(into)} FROM __input i LEFT JOIN ${vectors} v ON i.${POSITION} = v.position ORDER BY i.${POSITION}`;
    const result = await writeDataset(job, session, select, { at: 'embed' });
    return {
      dataset: result,
      artifacts: [],
      summary: {
        rows_in: dataset.rows,
        rows: result.rows,
        batches: plan.batches,
        vectors: written,
        dimensions: embedder.dimensions,
        model: embedder.name,
      },
    };
  } finally {
    await session.close();
  }
}

/** Batch after batch, in order; rows without text have no vector. Resolves with how many vectors there are. */
async function writeVectors(
  job: Job<unknown>,
  embedder: Embedder,
  column: string,
  size: number,
  file: string,
): Promise<number> {
  const { rows } = mainInput(job);
  const out = createWriteStream(file);
  let written = 0;
  const session = await openSession(job);
  try {
    for (let from = 0; from < rows; from += size) {
      const texts = await session.query(
        `SELECT ${POSITION} AS position, left(${name(column)}::VARCHAR, ${MAX_CHARACTERS}) AS text FROM __input
         WHERE ${POSITION} >= ${from} AND ${POSITION} < ${from + size} AND trim(${name(column)}::VARCHAR) <> '' ORDER BY ${POSITION}`,
        { at: 'embed' },
      );
      const vectors = await embedder.embed(
        texts.map((row) => String(row.text)),
        job.signal,
      );
      job.signal.throwIfAborted();
      const lines = texts.map((row, at) => `${row.position}|[${vectors[at]?.join(',') ?? ''}]\n`);
      if (!out.write(lines.join(''))) await once(out, 'drain', { signal: job.signal });
      written += lines.length;
      job.progress(
        (0.8 * Math.min(rows, from + size)) / rows,
        `Embedded ${Math.min(rows, from + size)} of ${rows} rows`,
      );
    }
  } finally {
    out.end();
    await once(out, 'finish');
    await session.close();
  }
  return written;
}
