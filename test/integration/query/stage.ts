/** A Postgres, a vector index and a cache for search tests: real ones, thrown away afterwards. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { startPostgres } from '../../../src/local/postgres.ts';
import { createSupervisor } from '../../../src/local/supervise.ts';
import { createMetrics } from '../../../src/metrics.ts';
import { loadConfig } from '../../../src/schema/config.ts';
import type { ContentType, Role, Source } from '../../../src/schema/names.ts';
import type { Principal } from '../../../src/schema/principal.ts';
import type { ParsedRecord } from '../../../src/schema/records.ts';
import type { ContextDeps } from '../../../src/services/context/context.ts';
import type { SearchDeps } from '../../../src/services/search/search.ts';
import { openCache } from '../../../src/stores/cache/index.ts';
import { bumpContentVersion } from '../../../src/stores/content-versions.ts';
import type { Embedder } from '../../../src/stores/contract.ts';
import { openDatabase } from '../../../src/stores/database.ts';
import { hashEmbedder } from '../../../src/stores/embeddings/hash.ts';
import { recordId, uuidV5 } from '../../../src/stores/ids.ts';
import { migrate } from '../../../src/stores/migrate.ts';
import { openVectors } from '../../../src/stores/vectors/index.ts';

export type StageDeps = SearchDeps & ContextDeps & { databaseUrl: string };

export interface Stage {
  deps: StageDeps;
  close(): Promise<void>;
}

/** `embedder`: the hash embedder of 384 dimensions unless told. `settings` go to Postgres. */
export async function openStage(
  options: { embedder?: Embedder; settings?: Record<string, string> } = {},
): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'ostinato-query-'));
  const config = loadConfig({ env: { DATA_DIR: folder, HOME: process.env.HOME ?? '/' }, cwd: folder });
  const supervisor = createSupervisor({ logDir: folder, report: () => {} });
  const embedder = options.embedder ?? hashEmbedder({ dimensions: 384 });
  const { databaseUrl } = await startPostgres({
    dataDir: folder,
    cacheDir: config.cacheDir,
    port: 0,
    supervisor,
    report: () => {},
    settings: { fsync: 'off', ...options.settings },
  });
  await migrate(databaseUrl);
  const database = openDatabase(databaseUrl);
  const vectors = await openVectors(config, { dimensions: embedder.dimensions, writable: true });
  const cache = openCache(config);
  const deps: StageDeps = {
    db: database.db,
    config,
    databaseUrl,
    vectors,
    embedder,
    semanticOff: null,
    cache,
    metrics: createMetrics(),
    log: pino({ level: 'silent' }),
    objects: { bucket: config.S3_BUCKET } as StageDeps['objects'],
  };
  return {
    deps,
    async close() {
      await vectors.close();
      await cache.close();
      await embedder.close();
      await database.close();
      await supervisor.stopAll([]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export function principal(id: string, role: Role = 'analyst', grants: Principal['grants'] = []): Principal {
  return { id, name: id, role, grants, via: 'local', keyId: null };
}

export type SampleRecord = Partial<ParsedRecord> & { external_id: string; text: string; content_type: ContentType };

/** Writes rows, then their vectors, and counts the content version for each, as an ingestion does. */
export async function land(
  deps: StageDeps,
  owner: string,
  source: Source,
  records: readonly SampleRecord[],
  options: { fileId?: string; withVectors?: boolean } = {},
): Promise<string[]> {
  const ids = records.map((record) => recordId(owner, source, 'test', record.content_type, record.external_id));
  const rows = records.map((record, index) => ({
    record_id: ids[index] ?? '',
    owner,
    source_type: source,
    account: 'test',
    content_type: record.content_type,
    external_id: record.external_id,
    parent_id: record.parent_id ?? null,
    title: record.title ?? null,
    text: record.text,
    author: record.author ?? null,
    participants: record.participants ?? [],
    occurred_at: record.occurred_at ? new Date(record.occurred_at) : null,
    url: record.url ?? null,
    content_hash: uuidV5(record.text),
    vector_hash: null,
  }));
  await deps.db.transaction().execute(async (trx) => {
    for (let at = 0; at < rows.length; at += 1_000) {
      await trx
        .insertInto('parsed_content')
        .values(rows.slice(at, at + 1_000))
        .execute();
    }
    if (options.fileId) {
      const file_id = options.fileId;
      await trx
        .insertInto('file_records')
        .values(ids.map((record_id) => ({ file_id, record_id, attempt: 1 })))
        .execute();
    }
    await bumpContentVersion(trx, owner, source);
  });
  if (options.withVectors === false || !deps.embedder || !deps.vectors) return ids;
  const texts = rows.map(({ title, text }) => (title && !text.startsWith(title) ? `${title}\n${text}` : text));
  const embedded = await deps.embedder.embed(texts);
  await deps.vectors.upsert(
    rows.map((row, index) => ({
      id: row.record_id,
      vector: embedded[index] ?? new Float32Array(),
      owner,
      source,
      content_type: row.content_type,
      author: row.author,
      occurred_at: row.occurred_at?.getTime() ?? null,
      content_hash: row.content_hash,
    })),
  );
  await deps.db
    .updateTable('parsed_content')
    .set({ vector_hash: (eb) => eb.ref('content_hash') })
    .where('record_id', 'in', ids)
    .execute();
  await bumpContentVersion(deps.db, owner, source);
  return ids;
}
