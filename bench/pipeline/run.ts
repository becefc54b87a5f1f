/** Bench (p-a): six stages over a million rows beside one bare DuckDB script that leaves the same results. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createStageRunner, type StageEngines } from '../../src/activities/stages/runner.ts';
import { loadConfig } from '../../src/schema/config.ts';
import type { StageOutput, StageRequest } from '../../src/schema/stages/contract.ts';
import { objectsOnly } from '../../test/support/stage-deps.ts';
import { median, type Row } from '../row.ts';
import { bareScript } from './bare.ts';
import { hash, timed } from './measure.ts';
import { benchStages, ROWS, writeOrders } from './stages.ts';

const ROUNDS = 5;
const TARGET = 0.6;

export async function benchPipeline(options: { rows?: number; rounds?: number; verbose?: boolean } = {}): Promise<Row> {
  const rows = options.rows ?? ROWS;
  const folder = mkdtempSync(join(tmpdir(), 'bench-pipeline-'));
  const config = loadConfig({ cwd: folder, env: { DATA_DIR: join(folder, 'data') } });
  const deps = objectsOnly(config);
  const { objects } = deps;
  const runner = createStageRunner(deps);
  try {
    const file = join(folder, 'orders.csv');
    await writeOrders(file, rows);
    copyFileSync(file, join(folder, 'copy.csv'));
    await objects.putFile('imports/orders.csv', join(folder, 'copy.csv'));
    const times: { bare: number[]; staged: number[] } = { bare: [], staged: [] };
    // The first round of each warms files and engine and does not count.
    for (let round = 0; round <= (options.rounds ?? ROUNDS); round += 1) {
      const bareFolder = join(folder, `bare-${round}`);
      mkdirSync(bareFolder);
      const bare = await timed(() =>
        bareScript(file, bareFolder, { threads: config.STAGE_THREADS, memoryMb: config.STAGE_MEMORY_MB }),
      );
      const staged = await timed(() => runStages(runner, `runs/bench-${round}/`, options.verbose ?? false));
      const output = await objects.localFile(`runs/bench-${round}/5/orders.csv`);
      if (hash(output ?? '') !== hash(join(bareFolder, 'orders.csv'))) throw new Error('the two sides disagree');
      if (round > 0) {
        times.bare.push(bare);
        times.staged.push(staged);
      }
      rmSync(bareFolder, { recursive: true });
      await objects.deletePrefix(`runs/bench-${round}/`);
    }
    const [bare, staged] = [median(times.bare), median(times.staged)];
    const ratio = bare / staged;
    return {
      id: 'p-a',
      what: `six stages over ${rows.toLocaleString('en')} rows, their engine alone, beside one bare DuckDB script`,
      value: `${ratio.toFixed(2)} of its speed (${staged.toFixed(0)} ms, bare ${bare.toFixed(0)} ms)`,
      target: `≥ ${TARGET}`,
      met: ratio >= TARGET,
    };
  } finally {
    await runner.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The stages one after another, each on what the one before gave. */
export async function runStages(runner: StageEngines, prefix: string, verbose = false): Promise<StageOutput[]> {
  const outputs: StageOutput[] = [];
  let inputs: StageRequest['inputs'] = [];
  for (const [at, stage] of benchStages('imports/orders.csv').entries()) {
    const request: StageRequest = {
      type: stage.type,
      config: stage.config,
      inputs,
      input_data: null,
      parameters: {},
      prefix: `${prefix}${at}/`,
      owner: 'bench',
      all_owners: false,
      timeout_seconds: 600,
    };
    const started = performance.now();
    const done = await runner.run(request, { signal: new AbortController().signal, progress: () => undefined });
    if (verbose) console.log(`    ${stage.name}: ${(performance.now() - started).toFixed(0)} ms`);
    outputs.push(done);
    if (done.dataset) inputs = [{ name: stage.name, dataset: done.dataset }];
  }
  return outputs;
}
