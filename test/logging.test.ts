/** The log of a process as a collector reads it: JSON lines, at a level, without secrets. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const LOGGING = fileURLToPath(new URL('../src/logging.ts', import.meta.url));

/** What a process with this level says on stderr, where stdout stays clean. */
function said(level: string): Record<string, unknown>[] {
  const script = `
    import { createLog } from ${JSON.stringify(LOGGING)};
    const log = createLog(${JSON.stringify(level)}, 'probe');
    log.debug('looked'); log.info({ task_id: 't1' }, 'did'); log.warn({ token: 'hush', to: { password: 'hush' } }, 'odd');
    log.error({ err: new Error('broke') }, 'failed');`;
  // Both streams in one: stdout must add nothing.
  const out = execFileSync('/bin/sh', ['-c', '"$0" --input-type=module -e "$1" 2>&1', process.execPath, script]);
  return String(out)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

test('every line is JSON with its time, level, process and words, and holds no secret', () => {
  const lines = said('debug');
  expect(lines.map(({ level, msg }) => [level, msg])).toEqual([
    ['debug', 'looked'],
    ['info', 'did'],
    ['warn', 'odd'],
    ['error', 'failed'],
  ]);
  for (const line of lines) expect(line).toMatchObject({ name: 'probe', pid: expect.any(Number) });
  for (const { time } of lines) expect(new Date(String(time)).toISOString()).toBe(time);
  expect(lines[1]).toMatchObject({ task_id: 't1' });
  expect(lines[3]).toMatchObject({ err: { message: 'broke' } });
  expect(JSON.stringify(lines)).not.toContain('hush');
});

test('a level leaves out what is below it', () => {
  expect(said('warn').map(({ msg }) => msg)).toEqual(['odd', 'failed']);
});
