/** The live view of a run: what each line says, and that it fits and redraws in place. */
import { describe, expect, test } from 'vitest';
import { createOutput } from '../../src/cli/output.ts';
import { drawBlock } from '../../src/cli/redraw.ts';
import { showRun } from '../../src/cli/run-progress.ts';
import { widthOf } from '../../src/cli/text.ts';
import { stageLines } from '../../src/cli/views/stages.ts';
import { approval, RUN_ID, runView, stage } from './control-views.ts';

const NOW = Date.parse('2026-03-01T10:00:10.000Z');
const STARTED = '2026-03-01T10:00:05.500Z';

function output(colors: boolean, columns = 100) {
  const sink = { write: () => true, isTTY: true, columns, hasColors: () => colors };
  return createOutput({ stdout: sink, stderr: sink, json: undefined, now: () => NOW });
}

const run = runView({
  status: 'running',
  progress: 0.456,
  completed_at: null,
  stages: [
    stage({
      stage: 0,
      name: 'read',
      status: 'completed',
      seconds: 1.5,
      started_at: STARTED,
      ended_at: STARTED,
      dataset: { rows: 1_234_567, bytes: 1, sha256: 'a', columns: 3 },
    }),
    stage({ stage: 1, name: 'clean up', status: 'running', progress: 0.5, started_at: STARTED, attempt: 2 }),
    stage({
      stage: 2,
      name: 'each',
      status: 'retrying',
      items: { total: 10, by_status: { completed: 3, failed: 1 }, failed: [] },
    }),
    stage({ stage: 3, name: 'check', status: 'failed', error: { code: 'x', detail: 'it\u001b[2J broke' } }),
    stage({ stage: 4, name: 'later', status: 'pending' }),
    stage({ stage: 5, name: 'never', status: 'skipped', reason: 'when is false' }),
  ],
});

describe('lines', () => {
  test('say status, name, share, tries, time, items and rows', () => {
    const lines = stageLines(output(false), run, 'daily', { columns: 100, rows: 30 }, NOW);
    expect(lines).toEqual([
      `daily  running 45%  10.0 s  run ${RUN_ID}`,
      expect.stringMatching(/^✔ read {6}█+ {3}100% {2}1\.5 s {2}1,234,567 rows$/),
      expect.stringMatching(/^● clean up {2}█+░+ {4}50% {2}try 2 {2}4\.5 s$/),
      expect.stringMatching(/^↻ each {6}░+ {5}0% {2}retrying {2}3\/10 items$/),
      expect.stringMatching(/^✖ check {5}░+ {5}0% {2}failed {2}it \[2J broke$/),
      expect.stringMatching(/^· later {5}░+ {5}0%$/),
      expect.stringMatching(/^– never {5}░+ {5}0% {2}skipped {2}when is false$/),
    ]);
  });

  test('never pass the width, whatever it is, and lose the bar first', () => {
    for (let columns = 20; columns < 130; columns++) {
      for (const line of stageLines(output(false), run, 'a name '.repeat(20), { columns, rows: 30 }, NOW)) {
        expect(widthOf(line)).toBeLessThanOrEqual(columns);
      }
    }
    const narrow = stageLines(output(false), run, 'daily', { columns: 30, rows: 30 }, NOW);
    expect(narrow[1]).toMatch(/^✔ read {7}100% {2}1\.5 s/);
  });

  test('have colour only where the terminal has', () => {
    const size = { columns: 100, rows: 30 };
    expect(stageLines(output(true), run, 'daily', size, NOW).join('')).toContain('\u001b[32m✔');
    expect(stageLines(output(false), run, 'daily', size, NOW).join('')).not.toContain('\u001b');
  });

  test('with more stages than rows show what matters and count the rest', () => {
    const stages = Array.from({ length: 50 }, (_, index) =>
      stage({
        stage: index,
        name: `s${index}`,
        status: index === 49 ? 'failed' : index === 20 ? 'running' : index < 20 ? 'completed' : 'pending',
      }),
    );
    const lines = stageLines(output(false), runView({ stages }), 'daily', { columns: 80, rows: 6 }, NOW);
    expect(lines).toHaveLength(6);
    expect(lines.map((line) => line.split(/ +/)[1])).toEqual(['completed', 's20', 's21', 's22', 's49', 'and']);
    expect(lines.at(-1)).toBe('  and 20 completed, 26 pending');
  });

  test('say what waits for a person, and how to decide it', () => {
    const waiting = runView({ ...run, approvals: [approval({ stage: 1 })] });
    const lines = stageLines(output(false), waiting, 'daily', { columns: 100, rows: 30 }, NOW);
    expect(lines.slice(-2)).toEqual([
      'clean up waits for a decision until 2026-03-08T10:00:00.000Z: Is the total right?',
      '  ostinato approvals approve 5b8f6f0a   (or reject)',
    ]);
  });
});

test('one row is one row, and what waits says why', () => {
  const stages = [
    stage({ stage: 0, name: 'a', status: 'completed', dataset: { rows: 1, bytes: 1, sha256: 'a', columns: 1 } }),
    stage({ stage: 1, name: 'b', status: 'waiting', reason: 'waits for an approval' }),
  ];
  const [, one, two] = stageLines(output(false), runView({ stages }), 'daily', { columns: 100, rows: 30 }, NOW);
  expect(one).toMatch(/ 1 row$/);
  expect(two).toMatch(/ 0% {2}waits for an approval$/);
});

describe('drawing', () => {
  function screen(columns: number, rows: number) {
    const written: string[] = [];
    return { written, columns, rows, write: (text: string) => written.push(text) };
  }

  test('goes back to the first line each time and clears what is left', () => {
    const on = screen(80, 24);
    let lines = ['one', 'two', 'three'];
    const block = drawBlock(on, () => lines);
    block.draw();
    lines = ['ONE', 'TWO'];
    block.draw();
    block.stop();
    block.draw();
    expect(on.written).toEqual([
      'one\u001b[K\ntwo\u001b[K\nthree\u001b[K\n\u001b[J',
      '\u001b[3A\rONE\u001b[K\nTWO\u001b[K\n\u001b[J',
      '\u001b[2A\rONE\u001b[K\nTWO\u001b[K\n\u001b[J',
    ]);
  });

  test('never draws more than the screen holds, however big it is by now', () => {
    const on = screen(80, 24);
    const sizes: object[] = [];
    const block = drawBlock(on, (size) => {
      sizes.push(size);
      return Array.from({ length: 50 }, (_, n) => `line ${n}`);
    });
    block.draw();
    on.rows = 10;
    on.columns = 40;
    block.draw();
    block.stop();
    expect(sizes.slice(0, 2)).toEqual([
      { columns: 79, rows: 23 },
      { columns: 39, rows: 9 },
    ]);
    expect(on.written.map((text) => text.split('\n').length - 1)).toEqual([23, 9, 9]);
  });

  test('a run is drawn on the terminal, and nothing is left of it after its end but its last state', () => {
    const on = screen(100, 30);
    const progress = showRun(output(false), 'daily', on);
    progress.update(run);
    progress.update(runView());
    progress.stop();
    expect(on.written[0]).toContain('● clean up');
    expect(on.written.at(-1)?.startsWith('\u001b[3A\rdaily  completed 100%')).toBe(true);
  });
});
