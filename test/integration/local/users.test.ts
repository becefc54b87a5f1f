/** Root and non-root: each starts from nothing, and root also in folders that nobody else may enter. */
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TEMPORAL } from '../../../src/local/components/catalogue.ts';
import { cachedPath } from '../../../src/local/components/resolve.ts';
import { requirePath } from '../../support/servers/available.ts';
import { alive, openRoom, type Room } from './start.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const NOBODY = 65_534;
const asRoot = process.getuid?.() === 0;
// As another user than root, every other test of this folder is what the second half here would be.
if (!asRoot) process.stderr.write('skipped: starts as root and as another user from root (this is not root)\n');

describe.skipIf(!asRoot)('as root', () => {
  it('runs Postgres as nobody below a folder that only root may enter', async () => {
    const room = await openRoom();
    try {
      expect(statSync(dirname(room.dataDir)).mode & 0o777).toBe(0o700);
      const started = room.start({ args: ['--servers-only'] });
      await started.said('ready in');
      const { pid } = started.runtime().processes.find(({ name }) => name === 'postgres') ?? {};
      expect(statSync(`/proc/${pid}`).uid).toBe(NOBODY);
      expect(statSync(join(room.dataDir, 'postgres')).uid).toBe(NOBODY);
      expect(statSync(join(room.dataDir, 'postgres-password')).uid).toBe(0);
    } finally {
      await room.close();
    }
  });
});

describe.skipIf(!asRoot)('as another user', () => {
  let room: Room;
  let folder: string;
  let tree: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ostinato-user-'));
    chmodSync(folder, 0o755);
    tree = openTree(folder);
    room = await openRoom();
    chownSync(dirname(room.dataDir), NOBODY, NOBODY);
    const program = cachedPath(TEMPORAL, join(folder, 'cache'));
    mkdirSync(dirname(program), { recursive: true });
    cpSync(await requirePath(TEMPORAL), program);
    chownAll(join(folder, 'cache'));
  });
  afterAll(async () => {
    await room.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('starts from nothing, keeps its state, and owns all of it', async () => {
    const options = {
      uid: NOBODY,
      node: nodeIn(tree),
      main: join(tree, 'test/integration/local/fake/main.ts'),
      env: { HOME: folder, CACHE_DIR: join(folder, 'cache') },
    };
    const first = room.start(options);
    await first.said('ready in');
    const runtime = first.runtime();
    for (const { pid } of runtime.processes) expect(statSync(`/proc/${pid}`).uid).toBe(NOBODY);
    for (const name of readdirSync(room.dataDir)) expect(statSync(join(room.dataDir, name)).uid, name).toBe(NOBODY);
    const url = (JSON.parse(room.read('api.json')) as { database: string }).database;
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query('create table kept as select 1 as one');
    await client.end();
    first.child.kill('SIGTERM');
    expect(await first.exited).toBe(0);
    expect(alive(runtime)).toEqual([]);

    const second = room.start(options);
    await second.said('ready in');
    const again = new pg.Client({
      connectionString: (JSON.parse(room.read('api.json')) as { database: string }).database,
    });
    await again.connect();
    expect((await again.query('select one from kept')).rows).toEqual([{ one: 1 }]);
    await again.end();
  });
});

/** This checkout when others may read it, else a copy that they may. */
function openTree(folder: string): string {
  const probe = join(ROOT, 'test/integration/local/fake/main.ts');
  const command = 'require("fs").accessSync(process.argv[1])';
  const { status } = spawnSync(process.execPath, ['-e', command, probe], { uid: NOBODY, gid: NOBODY, cwd: '/' });
  if (status === 0) return ROOT;
  const copy = join(folder, 'tree');
  mkdirSync(copy, { mode: 0o755 });
  for (const name of ['package.json', 'bin', 'src', 'test', 'node_modules']) {
    // Links cost nothing; another file system gets a copy.
    const source = join(ROOT, name);
    if (spawnSync('cp', ['-al', source, copy]).status === 0) continue;
    rmSync(join(copy, name), { recursive: true, force: true });
    if (spawnSync('cp', ['-a', source, copy]).status !== 0) throw new Error(`${source} cannot be copied`);
  }
  return copy;
}

/** A Node that this user may run: the running one, unless it lies in root's own home. */
function nodeIn(tree: string): string {
  if (tree === ROOT && !process.execPath.startsWith(homedir())) return process.execPath;
  const copy = join(dirname(tree), 'node');
  cpSync(process.execPath, copy);
  chmodSync(copy, 0o755);
  return copy;
}

function chownAll(path: string): void {
  chownSync(path, NOBODY, NOBODY);
  if (!statSync(path).isDirectory()) return;
  for (const name of readdirSync(path)) chownAll(join(path, name));
}
