/** Log files: whole lines, times where there are none, and a bounded size. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openLog } from '../../src/local/logs.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ostinato-logs-'));
  path = join(folder, 'deep', 'api.log');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('joins pieces to lines, leaves JSON as it is and gives the rest a time', () => {
  const lines: string[] = [];
  const log = openLog(path, { onLine: (line) => lines.push(line) });
  log.write('{"a"');
  log.write(Buffer.from(':1}\nplain\r\nlast'));
  expect(lines).toEqual(['{"a":1}', 'plain']);
  log.close();
  log.write('too late\n');
  expect(log.tail()).toEqual(['{"a":1}', 'plain', 'last']);
  expect(readFileSync(path, 'utf8')).toMatch(/^\{"a":1\}\n\d{4}-\S+Z plain\n\d{4}-\S+Z last\n$/);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

it('rotates by size and keeps three old ones', () => {
  const log = openLog(path, { maxBytes: 100 });
  for (let index = 0; index < 50; index++) log.write(`${JSON.stringify({ index, pad: 'x'.repeat(40) })}\n`);
  log.close();
  for (const name of [path, `${path}.1`, `${path}.2`, `${path}.3`])
    expect(statSync(name).size).toBeLessThanOrEqual(100);
  expect(existsSync(`${path}.4`)).toBe(false);
  expect(readFileSync(path, 'utf8')).toContain('"index":49');
});

it('goes on in the file of an earlier run', () => {
  for (const word of ['one', 'two']) {
    const log = openLog(path);
    log.write(`{"${word}":1}\n`);
    log.close();
  }
  expect(readFileSync(path, 'utf8')).toBe('{"one":1}\n{"two":1}\n');
});
