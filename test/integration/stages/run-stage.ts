/** Runs one stage as a process of its own, to be killed: `run-stage.ts <data folder> <request>`; sends the output. */
import { createStageRunner } from '../../../src/activities/stages/runner.ts';
import { loadConfig } from '../../../src/schema/config.ts';
import type { StageRequest } from '../../../src/schema/stages/contract.ts';
import { objectsOnly } from '../../support/stage-deps.ts';

const [dataDir = '', request = ''] = process.argv.slice(2);
const config = loadConfig({ cwd: dataDir, env: { DATA_DIR: dataDir, STAGE_MEMORY_MB: '256', STAGE_THREADS: '2' } });
const runner = createStageRunner(objectsOnly(config));
const output = await runner.run(JSON.parse(request) as StageRequest, {
  signal: new AbortController().signal,
  progress: () => undefined,
});
process.send?.(output, () => process.exit(0));
