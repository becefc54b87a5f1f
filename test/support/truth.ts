/** What is really there, read past the system: rows from Postgres, vectors from the index, objects from the store. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig } from '../../src/schema/config.ts';
import { openDatabase } from '../../src/stores/database.ts';
import { openObjects } from '../../src/stores/objects/index.ts';
import { openVectors } from '../../src/stores/vectors/index.ts';

export interface Truth {
  /** record id → content hash */
  rows: Map<string, string>;
  /** record id → content hash of what the vector was made from; an array, so that a double shows. */
  vectors: [string, string][];
  objects: string[];
  links: number;
}

export interface Where {
  dataDir: string;
  databaseUrl: string;
  dimensions: number;
}

export function embeddedDatabaseUrl(dataDir: string, port: number): string {
  const password = readFileSync(join(dataDir, 'postgres-password'), 'utf8').trim();
  return `postgres://ostinato:${encodeURIComponent(password)}@127.0.0.1:${port}/ostinato`;
}

export async function readTruth(where: Where): Promise<Truth> {
  const config = loadConfig({ env: { DATA_DIR: where.dataDir }, cwd: where.dataDir });
  const database = openDatabase(where.databaseUrl, { max: 1 });
  const vectors = await openVectors(config, { dimensions: where.dimensions, writable: false });
  const objects = await openObjects(config);
  try {
    const rows = await database.db.selectFrom('parsed_content').select(['record_id', 'content_hash']).execute();
    const links = await database.db.selectFrom('file_records').select('record_id').execute();
    const found: Truth = {
      rows: new Map(rows.map((row) => [row.record_id, row.content_hash])),
      vectors: [],
      objects: [],
      links: links.length,
    };
    for await (const { id, content_hash } of vectors.scan()) found.vectors.push([id, content_hash]);
    for await (const { key } of objects.list('')) found.objects.push(key);
    found.vectors.sort();
    found.objects.sort();
    return found;
  } finally {
    await database.close();
    await vectors.close();
    await objects.close();
  }
}

/** Rows and vectors as one sorted text: equal texts mean equal contents, by id and by hash. */
export function contents(truth: Truth): { rows: string[]; vectors: string[] } {
  return {
    rows: [...truth.rows].map(([id, hash]) => `${id} ${hash}`).sort(),
    vectors: truth.vectors.map(([id, hash]) => `${id} ${hash}`),
  };
}
