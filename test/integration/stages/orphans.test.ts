/** A worker that is killed takes its engine along, and the next one tidies up after it. */
import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createStageRunner } from '../../../src/activities/stages/runner.ts';
import { type StageKit, stageKit } from '../../activities/stages/kit.ts';

let kit: StageKit;
beforeAll(async () => {
  kit = await stageKit();
});
afterAll(() => kit.close());

test('nothing of it stays', async () => {
  const inputs = [{ name: 'rows', dataset: await kit.dataset([{ a: 1 }]) }];
  const sql = 'WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r';
  const request = kit.request('transformation', { sql }, { inputs });
  const worker = fork(new URL('./run-stage.ts', import.meta.url), [kit.deps.config.dataDir, JSON.stringify(request)], {
    execArgv: [],
  });
  const spill = async () => {
    const folders = await readdir(join(kit.deps.config.dataDir, 'tmp', 'stages'));
    return folders.filter((folder) => folder.includes(`-${worker.pid}-`)).length;
  };
  await expect.poll(() => engineOf(worker.pid ?? 0), { timeout: 20_000 }).not.toBeNull();
  await expect.poll(spill, { timeout: 20_000 }).toBe(1);
  const engine = engineOf(worker.pid ?? 0) ?? 0;
  worker.kill('SIGKILL');
  await once(worker, 'exit');
  await expect.poll(() => isAlive(engine), { timeout: 20_000 }).toBe(false);
  const next = createStageRunner(kit.deps);
  await expect.poll(spill, { timeout: 20_000 }).toBe(0);
  await next.close();
});

function engineOf(pid: number): number | null {
  const table = execFileSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' });
  const line = table
    .split('\n')
    .find((row) => row.includes('stages/engine/main.ts') && row.trim().split(/\s+/)[1] === String(pid));
  return line === undefined ? null : Number.parseInt(line, 10);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
