/** Runs one stage as a process of its own, to be killed: `run-stage.ts <data folder> <request>`; sends the output. */
import { join } from 'node:path';
import type { StageDeps } from '../../../src/activities/stages/job.ts';
import { createStageRunner } from '../../../src/activities/stages/runner.ts';
import { loadConfig } from '../../../src/schema/config.ts';
import type { StageRequest } from '../../../src/schema/stages/contract.ts';
import { folderStore } from '../../../src/stores/objects/folder.ts';

const [dataDir = '', request = ''] = process.argv.slice(2);
const config = loadConfig({ cwd: dataDir, env: { DATA_DIR: dataDir, STAGE_MEMORY_MB: '256', STAGE_THREADS: '2' } });
const objects = folderStore({ root: join(config.dataDir, 'objects'), bucket: config.S3_BUCKET });
const absent = undefined as never;
const deps: StageDeps = {
  config,
  objects,
  db: absent,
  pool: absent,
  egress: absent,
  close: absent,
  vectors: null,
  embedder: null,
};
const runner = createStageRunner(deps);
const output = await runner.run(JSON.parse(request) as StageRequest, {
  signal: new AbortController().signal,
  progress: () => undefined,
});
process.send?.(output, () => process.exit(0));
