/** What stages work with where they read and write objects alone: a folder, and neither database nor model. */
import { join } from 'node:path';
import type { StageDeps } from '../../src/activities/stages/job.ts';
import type { Config } from '../../src/schema/config.ts';
import { folderStore } from '../../src/stores/objects/folder.ts';

/** Objects are in the data folder of `config`, unless `more` brings others. */
export function objectsOnly(config: Config, more: Partial<StageDeps> = {}): StageDeps {
  const absent = undefined as never;
  return {
    config,
    objects: more.objects ?? folderStore({ root: join(config.dataDir, 'objects'), bucket: config.S3_BUCKET }),
    db: absent,
    pool: absent,
    egress: absent,
    close: async () => undefined,
    vectors: null,
    embedder: null,
    ...more,
  };
}
