/** The embedded vector index after kill -9 of the process that writes it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { openLance } from '../../../src/stores/vectors/lance.ts';
import { DIMENSIONS, row, unit } from '../../stores/vectors/rows.ts';

const ROUNDS = 5;

test('a killed writer loses nothing it had answered for and leaves no row twice', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'vectors-kill-'));
  let answered = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const writer = spawn(process.execPath, [join(import.meta.dirname, 'lance-writer.ts'), folder, `${answered}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(writer, 'exit');
    // Killed while it writes on: at another moment in each round, some commits after the last round's.
    const goal = answered + 20 + round * 7;
    for await (const line of createInterface(writer.stdout)) {
      answered = Math.max(answered, Number(line));
      if (answered >= goal) writer.kill('SIGKILL');
    }
    await exited;

    const index = await openLance({ folder, dimensions: DIMENSIONS, writable: true });
    const ids: string[] = [];
    for await (const { id } of index.scan()) ids.push(id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toHaveLength(await index.count());
    const known = new Set(ids);
    // The writer wrote rows in tens and answered by the number of rows written.
    for (let at = 0; at < answered * 10; at += 1) expect(known.has(row('kill', at).id), `row ${at}`).toBe(true);
    expect(await index.search(unit('x'), 10, { owners: ['kill'] })).toHaveLength(10);
    await index.upsert([row('kill', 0)]);
    expect(await index.count()).toBe(ids.length);
    await index.compact();
    await index.close();
  }
  await rm(folder, { recursive: true });
});
