/** The command line against the real API, with real workflows behind it: a file becomes a run, and a run its artifacts. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of pipelines
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runCli } from '../../cli/fake-api.ts';
import { openStand, type Stand } from './stand.ts';

const PIPELINE = `name: totals
stages:
  - name: read
    type: data-ingestion
    config:
      rows: [{ day: mon, amount: 1 }, { day: mon, amount: 2 }, { day: tue, amount: null }]
  - name: check
    type: validation
    config: { rules: [{ type: not_null, column: amount, threshold: 0.5 }] }
  - name: sum
    type: transformation
    config:
      sql: SELECT day, sum(amount) * \${parameters.factor} AS total FROM input GROUP BY day ORDER BY day
  - name: write
    type: output
    config: { format: csv }
dependencies: [{ from: 0, to: 1 }, { from: 1, to: 2 }, { from: 2, to: 3 }]
`;

let stand: Stand;
let folder: string;
let target: string[];

beforeAll(async () => {
  stand = await openStand();
  folder = mkdtempSync(join(tmpdir(), 'ostinato-cli-'));
  target = ['--url', stand.url, '--key', (await stand.key('developer')).key];
}, 120_000);
afterAll(async () => {
  await stand?.close();
  if (folder) rmSync(folder, { recursive: true });
});

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

test('a file is run while it is watched, and what came out is downloaded whole', async () => {
  const path = file('totals.yaml', PIPELINE);
  expect((await runCli(['pipelines', 'validate', path, ...target])).lines).toEqual([
    { kind: 'valid', file: path, api_asked: true },
  ]);
  const ran = await runCli(['pipelines', 'run', path, '-p', 'factor=10', '--watch', ...target]);
  expect(ran.stderr).toBe('');
  expect(ran.exit).toBe(0);
  expect(ran.lines[0]).toMatchObject({ kind: 'pipeline', how: 'created', version: 1 });
  const last = ran.lines.at(-1) as { kind: string; run_id: string; stages: { name: string; dataset: object }[] };
  expect(last).toMatchObject({ kind: 'run', status: 'completed' });
  const over = ran.lines.filter(({ kind, status }) => kind === 'stage' && status === 'completed');
  expect(over.map(({ name }) => name)).toEqual(['read', 'check', 'sum', 'write']);

  const out = join(folder, 'out');
  const stored = await runCli(['pipelines', 'artifacts', last.run_id, '--download', out, ...target]);
  expect(stored.exit).toBe(0);
  const csv = stored.lines.find(({ name }) => name === 'write/output.csv') as { path: string; sha256: string };
  const bytes = readFileSync(csv.path);
  // Of tuesday's only row the amount is missing.
  expect(bytes.toString()).toBe('day,total\nmon,30\n');
  expect(createHash('sha256').update(bytes).digest('hex')).toBe(csv.sha256);
  const shown = await runCli(['pipelines', 'status', last.run_id.slice(0, 8), ...target], { terminal: 120 });
  expect(shown.stdout).toMatch(/\n +3 +write +output +completed +1 /);
}, 60_000);

test('the same file again reuses the pipeline, a changed one makes a version', async () => {
  const path = file('totals.yaml', PIPELINE);
  const again = await runCli(['pipelines', 'run', path, '-p', 'factor=1', ...target]);
  expect(again.lines[0]).toMatchObject({ how: 'unchanged', version: 1 });
  writeFileSync(path, PIPELINE.replace('format: csv', 'format: json'));
  const changed = await runCli(['pipelines', 'run', path, '-p', 'factor=1', ...target]);
  expect(changed.lines[0]).toMatchObject({ how: 'updated', version: 2 });
  const ids = [again, changed].map(({ lines }) => String(lines[1]?.run_id));
  for (const id of ids) await stand.over(id);
  const runs = await runCli(['pipelines', 'runs', String(again.lines[0]?.pipeline_id), ...target]);
  expect(runs.lines.map(({ version }) => version)).toEqual([2, 1, 1]);
}, 60_000);

test('every fault that the API finds stands at its place in the file', async () => {
  const path = file(
    'faulty.yaml',
    PIPELINE.replace('from: 0, to: 1', 'from: 0, to: 9').replace('type: output', 'type: outptu'),
  );
  const ran = await runCli(['pipelines', 'run', path, ...target], { terminal: 120 });
  expect(ran.exit).toBe(2);
  expect(ran.stdout).toMatch(/faulty\.yaml:15:11: stages\.3\.type: must be one of/);
  expect(ran.stdout).toMatch(/faulty\.yaml:17:\d+: dependencies\.0\.to: there is no stage 9/);
}, 30_000);

test('a failed stage ends with 1 and its error', async () => {
  const path = file('failing.yaml', PIPELINE.replace('threshold: 0.5', 'threshold: 0'));
  const ran = await runCli(['pipelines', 'run', path, '-p', 'factor=1', '-w', ...target], { terminal: 120 });
  expect(ran.exit).toBe(1);
  expect(ran.stdout).toMatch(/\ncheck: .* \[validation_failed\]\n$/);
}, 60_000);

test('a run is watched over a restart of the API, and decided from another terminal', async () => {
  const path = file(
    'asking.yaml',
    PIPELINE.replace('    type: output', '    type: output\n    approval: { message: Ship it? }'),
  );
  const seen = Promise.withResolvers<void>();
  const onStdout = (text: string) => text.includes('"kind":"approval"') && seen.resolve();
  const watching = runCli(['pipelines', 'run', path, '-p', 'factor=1', '-w', ...target], { onStdout });
  await seen.promise;
  const [waiting] = (await runCli(['approvals', '--status', 'pending', ...target])).lines;
  expect(waiting).toMatchObject({ kind: 'approval', message: 'Ship it?' });
  await stand.restart();
  const decided = await runCli([
    'approvals',
    'approve',
    String(waiting?.approval_id).slice(0, 8),
    '-c',
    'yes',
    ...target,
  ]);
  expect(decided.lines).toMatchObject([{ kind: 'approval', status: 'approved', comment: 'yes' }]);
  const ran = await watching;
  expect(ran.exit).toBe(0);
  expect(ran.lines.filter(({ kind }) => kind === 'approval')).toHaveLength(1);
}, 90_000);

test('an agent is registered, drained, given another token and removed', async () => {
  const path = file('agent.yaml', 'name: cli-agent\ncapabilities: [analysis]\nresources: { cpu: 2 }\n');
  const registered = await runCli(['agents', 'register', path, '--max-concurrency', '3', ...target]);
  expect(registered.lines).toMatchObject([{ kind: 'agent_registered', created: true, token: expect.any(String) }]);
  const id = String(registered.lines[0]?.agent_id);
  const listed = await runCli(['agents', 'list', '--capability', 'analysis', ...target], { terminal: 120 });
  expect(listed.stdout).toContain('cli-agent');
  const drained = await runCli(['agents', 'drain', id.slice(0, 8), ...target]);
  expect(drained.lines).toMatchObject([{ kind: 'agent', status: 'draining', max_concurrency: 3 }]);
  expect((await runCli(['agents', 'activate', id, ...target])).lines).toMatchObject([{ draining: false }]);
  const rotated = await runCli(['agents', 'rotate', id, ...target]);
  expect(rotated.lines[0]?.token).not.toBe(registered.lines[0]?.token);
  expect((await runCli(['agents', 'remove', id, ...target])).lines).toMatchObject([{ moved_tasks: 0 }]);
  expect((await runCli(['agents', 'show', id, ...target])).exit).toBe(5);
}, 30_000);

test('a task is submitted and watched to its end; one that waits says its place and is cancelled', async () => {
  const payload = file('payload.yaml', 'rows: [{ a: 1 }, { a: 2 }]\n');
  const done = await runCli(['tasks', 'submit', 'data-ingestion', '-p', `@${payload}`, '--watch', ...target]);
  expect(done.exit).toBe(0);
  expect(done.lines.at(-1)).toMatchObject({ kind: 'task', status: 'completed', type: 'data-ingestion' });
  const waiting = await runCli(['tasks', 'submit', 'analysis', '--executor', 'agent', ...target]);
  expect(waiting.lines).toMatchObject([{ kind: 'task_accepted', status: 'pending', queue_position: 1 }]);
  const id = String(waiting.lines[0]?.task_id);
  expect((await runCli(['tasks', 'cancel', id.slice(0, 13), ...target])).exit).toBe(0);
  const over = await runCli(['tasks', 'show', id, '--watch', ...target]);
  expect(over.exit).toBe(1);
  expect(over.lines.at(-1)).toMatchObject({ kind: 'task', status: 'cancelled' });
}, 60_000);
