/** Loads a synthetic corpus into a stage, rows and vectors, past the ingestion: only the search is measured. */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { from as copyFrom } from 'pg-copy-streams';
import { CONTENT_TYPES, SOURCES } from '../../src/schema/names.ts';
import { bumpContentVersion } from '../../src/stores/content-versions.ts';
import type { VectorRow } from '../../src/stores/contract.ts';
import { openDatabase } from '../../src/stores/database.ts';
import { uuidV5 } from '../../src/stores/ids.ts';
import type { StageDeps } from '../../test/integration/query/stage.ts';
import type { Corpus } from './synthetic.ts';

export const OWNER = 'bench';
const BATCH = 5_000;
const START = Date.parse('2024-01-01T00:00:00Z');

export function recordOf(index: number): string {
  return uuidV5(`bench:${index}`);
}

export async function loadCorpus(deps: StageDeps, corpus: Corpus, count: number): Promise<void> {
  const { pool, close } = openDatabase(deps.databaseUrl, { max: 1 });
  const client = await pool.connect();
  try {
    const columns =
      'record_id, owner, source_type, account, content_type, external_id, text, author, occurred_at, content_hash, vector_hash';
    const into = client.query(copyFrom(`COPY parsed_content (${columns}) FROM STDIN`));
    await pipeline(Readable.from(copyLines(corpus, count)), into);
    await client.query('VACUUM ANALYZE parsed_content');
  } finally {
    client.release();
    await close();
  }
  for (let at = 0; at < count; at += BATCH) {
    const rows = Array.from({ length: Math.min(BATCH, count - at) }, (_, index) => vectorRow(corpus, at + index));
    await deps.vectors?.upsert(rows);
  }
  await deps.vectors?.compact();
  for (const source of SOURCES) await bumpContentVersion(deps.db, OWNER, source);
}

const sourceOf = (index: number) => SOURCES[index % SOURCES.length] ?? 'slack';
const typeOf = (index: number) => CONTENT_TYPES[index % CONTENT_TYPES.length] ?? 'message';
const timeOf = (index: number) => START + (index % 700) * 86_400_000;
const authorOf = (index: number) => `Person ${index % 500}`;

function* copyLines(corpus: Corpus, count: number): Iterable<string> {
  for (let index = 0; index < count; index += 1) {
    const id = recordOf(index);
    const time = new Date(timeOf(index)).toISOString();
    yield `${[id, OWNER, sourceOf(index), 'bench', typeOf(index), id, corpus.text(index), authorOf(index), time, id, id].join('\t')}\n`;
  }
}

function vectorRow(corpus: Corpus, index: number): VectorRow {
  return {
    id: recordOf(index),
    vector: corpus.vector(index),
    owner: OWNER,
    source: sourceOf(index),
    content_type: typeOf(index),
    author: authorOf(index),
    occurred_at: timeOf(index),
    content_hash: recordOf(index),
  };
}
