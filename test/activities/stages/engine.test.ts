/** The data engine as a process: its last line of defence, its limits, its death, and what it leaves behind. */
import { execFileSync } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sweepWorkspaces } from '../../../src/activities/stages/workspace.ts';
import { type StageKit, stageKit } from './kit.ts';

let kit: StageKit;
beforeAll(async () => {
  kit = await stageKit();
});
afterAll(() => kit.close());

const open = (files: { path: string; label: string }[] = [], signal = new AbortController().signal) =>
  kit.runner.engines.open({
    folder: join(kit.folder, 'job'),
    files,
    userSql: [],
    views: [],
    signal,
    share: () => undefined,
  });

/** Process ids of engines that are children of this one. */
function engines(): number[] {
  const table = execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(process.pid)], { encoding: 'utf8' });
  return table
    .split('\n')
    .filter((line) => line.includes('stages/engine/main.ts'))
    .map((line) => Number.parseInt(line, 10));
}

test('even SQL that nobody judged cannot reach anything, nor change that', async () => {
  await writeFile(join(kit.folder, 'allowed.csv'), 'a\n1\n');
  await writeFile(join(kit.folder, 'other.csv'), 'a\n2\n');
  const session = await open([{ path: join(kit.folder, 'allowed.csv'), label: 'allowed' }]);
  const place = { at: 'test' };
  expect(await session.query(`SELECT * FROM read_csv('${join(kit.folder, 'allowed.csv')}')`, place)).toEqual([
    { a: '1' },
  ]);
  for (const sql of [
    `SELECT * FROM read_csv('${join(kit.folder, 'other.csv')}')`,
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_text('/proc/self/environ')",
    `SELECT * FROM read_text('${kit.folder}/job/out/../../other.csv')`,
    `COPY (SELECT 1) TO '${join(kit.folder, 'new.csv')}'`,
    `ATTACH '${join(kit.folder, 'new.db')}'`,
    "SELECT * FROM read_csv('https://127.0.0.1/x.csv')",
    "SELECT * FROM glob('/etc/*')",
    `EXPORT DATABASE '${join(kit.folder, 'export')}'`,
    'INSTALL httpfs',
    `LOAD '${join(kit.folder, 'x.duckdb_extension')}'`,
    'CREATE PERSISTENT SECRET s (TYPE http)',
    'SET enable_external_access = true',
    'SET lock_configuration = false',
    'RESET allowed_paths',
    "SET allowed_directories = ['/']",
    'PRAGMA enable_external_access = true',
    'SET threads = 64',
    "SET memory_limit = '100GB'",
  ]) {
    const failed = await session.query(sql, place).then(
      (rows) => rows,
      (error) => error.code,
    );
    // A listing outside is empty; all else is an error.
    expect(['sql_denied', 'sql_failed', []], sql).toContainEqual(failed);
  }
  await session.close();
  expect((await readdir(kit.folder)).sort()).toEqual(['allowed.csv', 'data', 'job', 'other.csv']);
});

test('messages do not tell where things are on this machine', async () => {
  const file = join(kit.folder, 'allowed.csv');
  await writeFile(file, 'a\n1\n"x');
  const session = await open([{ path: file, label: 'allowed.csv' }]);
  const failed = await session
    .query(`SELECT * FROM read_csv('${file}', columns={'a': 'INTEGER'}, auto_detect=false, header=true)`, {
      at: 'test',
    })
    .catch((error) => error);
  expect(failed.message).toContain('allowed.csv');
  expect(failed.message).not.toContain(kit.folder);
  await session.close();
});

test('an engine that dies fails its stage for a retry, and the next stage has another', async () => {
  const sql = 'WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r';
  const inputs = [{ name: 'rows', dataset: await kit.dataset([{ a: 1 }]) }];
  const running = kit.run('transformation', { sql }, { inputs }).catch((error) => error);
  await expect.poll(async () => (await readdir(join(kit.deps.config.dataDir, 'tmp', 'stages'))).length).toBe(1);
  // One of them works, the others wait: all go.
  await expect.poll(() => engines().length).toBeGreaterThan(0);
  for (const pid of engines()) process.kill(pid, 'SIGKILL');
  expect(await running).toMatchObject({ code: 'unavailable', retryable: true });
  expect(await kit.rows((await kit.run('transformation', { limit: 1 }, { inputs })).dataset)).toEqual([{ a: '1' }]);
});

test('an engine is used again', async () => {
  await kit.dataset([{ a: 1 }]);
  const [before] = engines();
  await kit.dataset([{ a: 2 }]);
  expect(engines()).toContain(before);
  expect(engines().length).toBeLessThanOrEqual(kit.deps.config.STAGE_CONCURRENCY);
});

test('what a job of an ended process left is removed, what lives stays', async () => {
  const parent = join(kit.deps.config.dataDir, 'tmp', 'stages');
  const gone = execFileSync(process.execPath, ['-p', 'process.pid'], { encoding: 'utf8' }).trim();
  for (const name of [`${hostname()}-${gone}-x`, `${hostname()}-${process.pid}-x`, 'another-host-1-x']) {
    await mkdir(join(parent, name), { recursive: true });
  }
  expect(await sweepWorkspaces(kit.deps)).toBe(1);
  expect((await readdir(parent)).sort()).toEqual(['another-host-1-x', `${hostname()}-${process.pid}-x`].sort());
});
