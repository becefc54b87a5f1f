/** Puts rows into the search index: each becomes a record of its owner, found by words at once and by meaning with its vector. */
import { createHash } from 'node:crypto';
import { Failure } from '../../schema/failures.ts';
import type { Json, JsonObject } from '../../schema/json.ts';
import type { ParsedRecord } from '../../schema/records.ts';
import type { IndexTarget } from '../../schema/stages/processing.ts';
import { withTransaction } from '../../stores/client-transaction.ts';
import {
  createLoader,
  lockContent,
  markIndexed,
  readUnindexed,
  stillCurrent,
  type Unindexed,
} from '../../stores/content.ts';
import { bumpContentVersion } from '../../stores/content-versions.ts';
import { copyRows } from '../../stores/copy-rows.ts';
import { uuidV5 } from '../../stores/ids.ts';
import type { Row } from './engine/messages.ts';
import type { Session } from './engine/pool.ts';
import { type Job, mainInput, openSession, POSITION } from './job.ts';
import { name } from './quote.ts';

const BATCH = 1_000;
const MAX_CHARACTERS = 8_000;
const ACCOUNT = 'pipeline-output';

/**
 * A row's id is made of owner, account and the row's own id, so a repeat writes the same records and another run's
 * newer row replaces the older one. Resolves with counts for the summary; rows without text are left out.
 */
export async function indexRows(job: Job<unknown>, target: IndexTarget, at: string): Promise<JsonObject> {
  const { rows, columns } = mainInput(job);
  const wanted = columnsOf(target);
  const missing = wanted.filter(
    (column) => !columns.some((known) => known.name.toLowerCase() === column.toLowerCase()),
  );
  if (missing.length > 0) throw new Failure('invalid_input', `${at}: there is no column ${missing.join(', ')}`);
  const account = target.account ?? ACCOUNT;
  // The links of records to what brought them need an id; there is no file behind this one.
  const fileId = uuidV5(`stage-index:${job.request.owner}:${target.source}:${account}`);
  const load = createLoader();
  const session = await openSession(job);
  let indexed = 0;
  try {
    for (let from = 0; from < rows; from += BATCH) {
      const batch = await readBatch(session, wanted, from, at);
      const records = batch.flatMap((row) => recordOf(row, target) ?? []);
      if (records.length > 0) {
        const { text, ids } = copyRows(records, { owner: job.request.owner, source: target.source, account });
        await withTransaction(job.deps, async (trx, client) => {
          await lockContent(trx, job.request.owner, target.source, 'shared');
          await load(client, { rows: Buffer.from(text), ids }, { file_id: fileId, attempt: 1 });
          await bumpContentVersion(trx, job.request.owner, target.source);
        });
        indexed += ids.length;
      }
      job.progress(
        (0.5 * Math.min(rows, from + BATCH)) / rows,
        `Indexed ${Math.min(rows, from + BATCH)} of ${rows} rows`,
      );
    }
  } finally {
    await session.close();
  }
  return { indexed, account, vectors: await indexVectors(job, fileId, target) };
}

function columnsOf(target: IndexTarget): string[] {
  const { text, title, id, author, occurred_at, url, metadata } = target;
  return [
    ...new Set(
      [text, title, author, occurred_at, url, ...(metadata ?? []), ...(Array.isArray(id) ? id : [id])].filter(
        (column) => column !== undefined,
      ),
    ),
  ];
}

function readBatch(session: Session, columns: readonly string[], from: number, at: string): Promise<Row[]> {
  return session.query(
    `SELECT ${columns.map((column) => `${name(column)} AS ${name(column)}`).join(', ')} FROM __input WHERE ${POSITION} >= ${from} AND ${POSITION} < ${from + BATCH} ORDER BY ${POSITION}`,
    { at },
  );
}

/** Postgres holds no NUL character. */
const textOf = (value: Json | undefined): string | null =>
  value === null || value === undefined
    ? null
    : (typeof value === 'string' ? value : JSON.stringify(value)).replaceAll('\0', '');

function recordOf(row: Row, target: IndexTarget): ParsedRecord | null {
  const of = (column: string | undefined) => (column === undefined ? null : textOf(row[column]));
  const text = of(target.text);
  if (text === null || text.trim() === '') return null;
  const ids =
    target.id === undefined
      ? [createHash('sha256').update(text).digest('hex')]
      : [target.id].flat().map((column) => of(column) ?? '');
  return {
    external_id: ids.join('/').slice(0, 500),
    content_type: target.content_type,
    title: of(target.title),
    text,
    author: of(target.author),
    participants: [],
    occurred_at: momentOf(of(target.occurred_at)),
    url: of(target.url),
    parent_id: null,
    metadata: Object.fromEntries((target.metadata ?? []).map((column) => [column, row[column] ?? null])),
  };
}

function momentOf(text: string | null): string | null {
  if (text === null) return null;
  const zoned = /(Z|[+-]\d{2}(:?\d{2})?)$/.test(text)
    ? text
    : `${text.replace(' ', 'T')}${text.length > 10 ? 'Z' : 'T00:00:00Z'}`;
  const milliseconds = Date.parse(zoned);
  return Number.isNaN(milliseconds) ? null : new Date(milliseconds).toISOString();
}

/** Vectors of what lacks one; a repeat finds only what is missing. Zero where embeddings are off. */
async function indexVectors(job: Job<unknown>, fileId: string, target: IndexTarget): Promise<number> {
  const { embedder, vectors, db } = job.deps;
  if (!embedder || !vectors) return 0;
  let written = 0;
  for (let after: string | null = null; ; ) {
    const records: Unindexed[] = await readUnindexed(db, fileId, after, BATCH);
    const last = records.at(-1);
    if (!last) return written;
    job.signal.throwIfAborted();
    const made = await embedder.embed(
      records.map((record) => record.text.slice(0, MAX_CHARACTERS)),
      job.signal,
    );
    await db.transaction().execute(async (trx) => {
      await lockContent(trx, job.request.owner, target.source, 'shared');
      const current = await stillCurrent(trx, records);
      const rows = records.flatMap((record, at) => {
        const vector = made[at];
        if (!vector || !current.has(record.record_id)) return [];
        const { record_id: id, owner, source_type: source, content_type, author, occurred_at, content_hash } = record;
        return [
          {
            id,
            vector,
            owner,
            source,
            content_type,
            author,
            occurred_at: occurred_at?.getTime() ?? null,
            content_hash,
          },
        ];
      });
      if (rows.length > 0) await vectors.upsert(rows);
      await markIndexed(trx, records);
      await bumpContentVersion(trx, job.request.owner, target.source);
      written += rows.length;
    });
    after = last.record_id;
    job.progress(0.5, `Embedded ${written} rows`);
  }
}
