/** `npm run dev`: a burst of changes restarts the worker and the API once. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { watchSources } from '../../../src/local/watch.ts';

const folder = mkdtempSync(join(tmpdir(), 'ostinato-watch-'));
let stop: () => void = () => {};
afterEach(() => {
  stop();
  rmSync(folder, { recursive: true, force: true });
});

it('is told once of a burst in any folder, and not of other files', async () => {
  mkdirSync(join(folder, 'room'));
  const calls: number[] = [];
  stop = watchSources(async () => {
    calls.push(1);
  }, folder);
  writeFileSync(join(folder, 'room', 'notes.txt'), 'x');
  await new Promise((resolve) => setTimeout(resolve, 600));
  expect(calls).toHaveLength(0);
  for (let index = 0; index < 5; index++) writeFileSync(join(folder, 'room', 'a.ts'), String(index));
  await expect.poll(() => calls.length, { timeout: 10_000 }).toBe(1);
  writeFileSync(join(folder, 'room', 'a.ts'), 'again');
  await expect.poll(() => calls.length, { timeout: 10_000 }).toBe(2);
});
