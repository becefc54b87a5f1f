/** A stage runner on a folder of its own, without a database: what unit tests of stages work with. */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import type { StageDeps } from '../../../src/activities/stages/job.ts';
import { createStageRunner, type StageEngines } from '../../../src/activities/stages/runner.ts';
import { loadConfig } from '../../../src/schema/config.ts';
import type { Json, JsonObject } from '../../../src/schema/json.ts';
import type { TaskType } from '../../../src/schema/names.ts';
import type { ArtifactRef, DatasetRef, StageOutput, StageRequest } from '../../../src/schema/stages/contract.ts';
import { hashEmbedder } from '../../../src/stores/embeddings/hash.ts';
import { objectsOnly } from '../../support/stage-deps.ts';

export type Rows = Record<string, Json>[];

export interface StageKit {
  deps: StageDeps;
  runner: StageEngines;
  folder: string;
  put(key: string, text: string | Buffer): Promise<void>;
  text(key: string): Promise<string>;
  sha256(key: string): Promise<string>;
  request(type: TaskType, config: JsonObject, more?: Partial<StageRequest>): StageRequest;
  run(type: TaskType, config: JsonObject, more?: Partial<StageRequest>, signal?: AbortSignal): Promise<StageOutput>;
  /** A dataset made of rows. */
  dataset(rows: Rows, more?: JsonObject): Promise<DatasetRef>;
  rows(dataset: Pick<DatasetRef, 'key'> | null): Promise<Rows>;
  lines(artifact: ArtifactRef | undefined): Promise<Rows>;
  close(): Promise<void>;
}

export async function stageKit(
  settings: Record<string, string> = {},
  more: Partial<StageDeps> = {},
): Promise<StageKit> {
  const folder = await mkdtemp(join(tmpdir(), 'stages-'));
  const config = loadConfig({
    cwd: folder,
    // Who may read what is for tests that are about that.
    env: { DATA_DIR: join(folder, 'data'), STAGE_MEMORY_MB: '256', DATA_PREFIXES: '/', ...settings },
  });
  const deps = objectsOnly(config, { embedder: hashEmbedder({ dimensions: 16 }), ...more });
  const { objects } = deps;
  const runner = createStageRunner(deps);
  let prefixes = 0;
  const kit: StageKit = {
    deps,
    runner,
    folder,
    put: async (key, text) => void (await objects.put(key, Buffer.from(text as string))),
    text: async (key) => (await bytesOf(key)).toString(),
    sha256: async (key) =>
      createHash('sha256')
        .update(await bytesOf(key))
        .digest('hex'),
    request: (type, stageConfig, given = {}) => {
      prefixes += 1;
      return {
        type,
        config: stageConfig,
        inputs: [],
        input_data: null,
        parameters: {},
        prefix: `runs/test/${prefixes}/`,
        owner: 'alice',
        all_owners: false,
        timeout_seconds: 60,
        ...given,
      };
    },
    run: (type, stageConfig, given, signal = new AbortController().signal) =>
      runner.run(kit.request(type, stageConfig, given), { signal, progress: () => undefined }),
    dataset: async (rows, given = {}) => {
      const { dataset } = await kit.run('data-ingestion', { rows, ...given });
      if (!dataset) throw new Error('no dataset');
      return dataset;
    },
    rows: async (dataset) => {
      const file = await objects.localFile(dataset?.key ?? '');
      const instance = await DuckDBInstance.create(':memory:');
      const connection = await instance.connect();
      try {
        return (await connection.runAndReadAll(`SELECT * FROM read_parquet('${file}')`)).getRowObjectsJson() as Rows;
      } finally {
        connection.closeSync();
        instance.closeSync();
      }
    },
    lines: async (artifact) =>
      (await kit.text(artifact?.key ?? ''))
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line)),
    close: async () => {
      await runner.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
  async function bytesOf(key: string): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of await objects.get(key)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }
  return kit;
}
