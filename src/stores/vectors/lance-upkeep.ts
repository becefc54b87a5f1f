/** What keeps a LanceDB table fast and forgetful: folding, indexing, and removing deleted rows from the disk. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Index, type Table } from '@lancedb/lancedb';

/** Below this many rows an exact search is fast enough, and an index would only cost recall. */
export const INDEX_FROM_ROWS = 50_000;
/** The vector index is trained anew when the table has grown by this factor since. */
const RETRAIN_GROWTH = 2;
/** Columns that filters and merges name. Few distinct values: bitmap; many: B-tree. */
const SCALAR_INDEXES = {
  id: () => Index.btree(),
  author: () => Index.btree(),
  occurred_at: () => Index.btree(),
  owner: () => Index.bitmap(),
  source: () => Index.bitmap(),
  content_type: () => Index.bitmap(),
};
/** Its name carries the row count at its training, so that the growth since needs no record elsewhere. */
const VECTOR_INDEX = /^vector_(\d+)$/;

export async function createScalarIndexes(table: Table): Promise<void> {
  const present = new Set((await table.listIndices()).flatMap((index) => index.columns));
  for (const [column, config] of Object.entries(SCALAR_INDEXES)) {
    if (!present.has(column)) await table.createIndex(column, { config: config(), replace: true });
  }
}

/** Whether searches go through a vector index. */
export async function hasVectorIndex(table: Table): Promise<boolean> {
  return (await table.listIndices()).some((index) => VECTOR_INDEX.test(index.name));
}

/**
 * Folds small files, adds new rows to the indexes, drops old versions at once. Only for the one writing process and
 * inside its chain: what it removes must belong to nobody's unfinished write.
 */
export async function optimise(table: Table): Promise<void> {
  await table.optimize({ cleanupOlderThan: new Date(), deleteUnverified: true });
}

/** Trains the vector index when the table has `fromRows` rows, and again each time it has doubled. */
export async function refreshVectorIndex(table: Table, fromRows: number): Promise<void> {
  const rows = await table.countRows();
  if (rows < fromRows) return;
  const stale = (await table.listIndices()).map((index) => index.name).filter((name) => VECTOR_INDEX.test(name));
  const trainedAt = Math.max(0, ...stale.map((name) => Number(VECTOR_INDEX.exec(name)?.[1])));
  if (trainedAt > 0 && rows < trainedAt * RETRAIN_GROWTH) return;
  await table.createIndex('vector', { config: vectorIndex(rows), name: `vector_${rows}`, replace: true });
  for (const name of stale) if (name !== `vector_${rows}`) await table.dropIndex(name);
  await optimise(table);
}

/** Whole vectors in about the square root of the rows' number of partitions: no loss but of partitions not looked at. */
function vectorIndex(rows: number): Index {
  return Index.ivfFlat({ distanceType: 'cosine', numPartitions: Math.max(1, Math.round(Math.sqrt(rows))) });
}

/**
 * Rewrites every fragment that holds deleted rows. `optimize` alone leaves a fragment as it is until a tenth of it is
 * deleted (measured: the deleted text stayed in the data file and in the index pages), so live rows of such fragments
 * are moved by an update that changes nothing, which empties the old file. `path` is the table's folder.
 * Resolves with the number of fragments rewritten.
 */
export async function purgeDeleted(table: Table, path: string): Promise<number> {
  await optimise(table);
  const fragments = await fragmentsWithDeletions(path);
  if (fragments.length === 0) return 0;
  for (const fragment of fragments) {
    const first = BigInt(fragment) << 32n;
    await table.update({
      where: `_rowid >= ${first} AND _rowid < ${first + (1n << 32n)}`,
      valuesSql: { content_hash: 'content_hash' },
    });
  }
  for (const [column, config] of Object.entries(SCALAR_INDEXES)) {
    await table.createIndex(column, { config: config(), replace: true });
  }
  await optimise(table);
  return fragments.length;
}

/**
 * Lance keeps deleted row numbers in `_deletions/{fragment}-{version}-{id}.{arrow|bin}`
 * (https://lance.org/format/table/ , deletion files); after a cleanup only those in force are left.
 */
async function fragmentsWithDeletions(path: string): Promise<number[]> {
  const names = await readdir(join(path, '_deletions')).catch(() => []);
  const fragments = names.map((name) => Number.parseInt(name, 10)).filter(Number.isSafeInteger);
  return [...new Set(fragments)].sort((a, b) => a - b);
}
