/** The embedded vector index: a LanceDB table that one process writes and any number read. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Connection, connect, type Table } from '@lancedb/lancedb';
import { LRUCache } from 'lru-cache';
import { Failure } from '../../schema/failures.ts';
import { VECTOR_COLLECTION } from '../../schema/names.ts';
import type { VectorIndex } from '../contract.ts';
import { checkId, checkLimit, checkRows, checkVector } from './check.ts';
import { anyOf, compileFilter } from './lance-filter.ts';
import { storedDimensions, tableSchema, toTable } from './lance-rows.ts';
import {
  createScalarIndexes,
  hasVectorIndex,
  INDEX_FROM_ROWS,
  optimise,
  purgeDeleted,
  refreshVectorIndex,
} from './lance-upkeep.ts';

/** Rows in one commit: large enough to be fast (25,000 rows/s), small enough to stay within tens of megabytes. */
const BATCH = 1_000;
/** Each commit leaves a small file and a version; past a few dozen searches slow down. */
const COMMITS_BEFORE_OPTIMISE = 40;
/** Partitions looked at without a filter: recall@10 1.0 on 100,000 rows of 384 dimensions (10: 0.998). */
const PROBES = 20;
/** Up to so many rows that match a filter, comparing each is as fast as the index and finds all. */
const EXACT_ROWS = 5_000;
/** A cleanup may remove the files of the version that a reader has just opened; the next version has what it needs. */
const READ_TRIES = 4;

/**
 * Opens the table `DataContent` in `folder`. With `writable` it is created when absent, and all writes of this opening
 * go one after the other: two writers that merge the same ids leave duplicates without an error, so exactly one process
 * may open it so. Without, an absent table is an empty one until the writer has created it.
 * Throws Failure('conflict') when the stored vectors have other dimensions.
 */
export async function openLance(options: {
  folder: string;
  dimensions: number;
  writable: boolean;
  /** Rows from which on searches go through an index. Only tests set it. */
  indexFromRows?: number;
}): Promise<VectorIndex> {
  const { folder, dimensions, writable } = options;
  const fromRows = options.indexFromRows ?? INDEX_FROM_ROWS;
  await mkdir(folder, { recursive: true });
  // 0: every read looks for the newest version first, so a reader in another process sees each finished commit.
  const connection = await connect(folder, { readConsistencyInterval: 0 });
  const path = join(folder, `${VECTOR_COLLECTION}.lance`);
  let opened: Table | null = null;
  let chain: Promise<unknown> = Promise.resolve();
  let commits = 0;
  const effortFor = createEffort();

  async function table(): Promise<Table | null> {
    if (opened) return opened;
    if (!(await connection.tableNames()).includes(VECTOR_COLLECTION)) return null;
    const found = await connection.openTable(VECTOR_COLLECTION);
    checkDimensions(storedDimensions(await found.schema()), dimensions, folder);
    opened = found;
    return found;
  }

  function write<T>(step: (table: Table) => Promise<T>): Promise<T> {
    if (!writable) throw new Failure('internal', 'This process opened the vector index for reading only');
    const result = chain.then(async () => {
      const target = await table();
      if (!target)
        throw new Failure('unavailable', 'The vector table is gone from the disk; a restart creates it anew');
      return step(target);
    });
    chain = result.catch(() => undefined);
    return result;
  }

  async function committed(target: Table): Promise<void> {
    commits += 1;
    if (commits % COMMITS_BEFORE_OPTIMISE !== 0) return;
    await optimise(target);
    await refreshVectorIndex(target, fromRows);
  }

  async function reading<T>(empty: T, step: (table: Table) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      const target = await table();
      if (!target) return empty;
      try {
        return await step(target);
      } catch (error) {
        if (attempt === READ_TRIES || !isGone(error)) throw error;
      }
    }
  }

  if (writable) {
    await openOrCreate(connection, dimensions, table);
    await write(async (target) => {
      await createScalarIndexes(target);
      // What a killed process left half written goes now, before anybody else can be writing.
      await optimise(target);
      await refreshVectorIndex(target, fromRows);
    });
  } else {
    await table();
  }

  return {
    kind: 'lancedb',
    dimensions,

    async ping() {
      await reading(0, async (target) => target.version());
    },

    async upsert(rows) {
      const checked = checkRows(rows, dimensions);
      for (let at = 0; at < checked.length; at += BATCH) {
        const batch = toTable(checked.slice(at, at + BATCH), dimensions);
        await write(async (target) => {
          await target.mergeInsert('id').whenMatchedUpdateAll().whenNotMatchedInsertAll().execute(batch);
          await committed(target);
        });
      }
    },

    async deleteIds(ids) {
      ids.forEach(checkId);
      for (let at = 0; at < ids.length; at += BATCH) {
        const condition = anyOf('id', ids.slice(at, at + BATCH));
        await write(async (target) => {
          await target.delete(condition);
          await committed(target);
        });
      }
      if (ids.length > 0) await write(optimise);
    },

    async search(vector, k, filter) {
      checkVector(vector, dimensions);
      checkLimit(k);
      const condition = compileFilter(filter);
      if (condition === null) return [];
      return reading([], async (target) => nearest(target, vector, k, condition, await effortFor(target, condition)));
    },

    async *scan() {
      const target = await table();
      if (!target) return;
      for await (const batch of target.query().select(['id', 'content_hash'])) {
        for (const row of batch) yield { id: String(row.id), content_hash: String(row.content_hash) };
      }
    },

    count: () => reading(0, (target) => target.countRows()),

    async compact() {
      await write(async (target) => {
        await purgeDeleted(target, path);
        await refreshVectorIndex(target, fromRows);
      });
    },

    async close() {
      await chain;
      opened?.close();
      connection.close();
    },
  };
}

interface Effort {
  indexed: boolean;
  rows: number;
  matching: number;
}

/** So long a table may grow before its size is asked for again: it decides how hard to look, not what is found. */
const EFFORT_MS = 2_000;
const EFFORTS = 200;

function createEffort(): (table: Table, condition: string) => Promise<Effort> {
  const known = new LRUCache<string, Effort>({ max: EFFORTS, ttl: EFFORT_MS });
  return async (table, condition) => {
    const found = known.get(condition);
    if (found) return found;
    const indexed = await hasVectorIndex(table);
    const rows = indexed ? await table.countRows() : 0;
    const effort = { indexed, rows, matching: indexed && condition ? await table.countRows(condition) : rows };
    known.set(condition, effort);
    return effort;
  };
}

async function nearest(table: Table, vector: Float32Array, k: number, condition: string, effort: Effort) {
  let query = table.query().nearestTo(vector).distanceType('cosine').limit(k).select(['id', '_distance']);
  if (condition) query = query.where(condition);
  if (effort.indexed) {
    // Few rows are compared one by one; of the rest, the rarer the matches, the more partitions hold the nearest.
    if (effort.matching <= EXACT_ROWS) query = query.bypassVectorIndex();
    else query = query.nprobes(Math.ceil(PROBES * Math.sqrt(effort.rows / effort.matching)));
  }
  const found: { id: string; _distance: number }[] = await query.toArray();
  return found.map((row) => ({ id: row.id, score: 1 - row._distance }));
}

async function openOrCreate(
  connection: Connection,
  dimensions: number,
  table: () => Promise<Table | null>,
): Promise<void> {
  if (await table()) return;
  await connection.createEmptyTable(VECTOR_COLLECTION, tableSchema(dimensions), { existOk: true });
  await table();
}

function checkDimensions(stored: number | null, wanted: number, folder: string): void {
  if (stored === wanted) return;
  throw new Failure(
    'conflict',
    `The vector index in ${folder} holds vectors of ${stored ?? 'unknown'} dimensions, but the embedder in force makes ${wanted}. ` +
      'Set the embedder back, or stop Ostinato, remove that folder and start it again: the vectors are made anew from the stored records.',
  );
}

/** LanceDB reports a file that vanished under a reader as an I/O error with the object store's words. */
function isGone(error: unknown): boolean {
  return error instanceof Error && /not found|no such file/i.test(error.message);
}
