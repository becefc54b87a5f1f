/** The API's own OpenAPI document drives a fuzzer: no 5xx, no status, type or shape that the document does not name. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SCHEMATHESIS } from '../../src/local/components/catalogue.ts';
import { hasServer, requirePath } from '../support/servers/available.ts';
import { removeDataDir, type System, startSystem, upload } from '../support/system.ts';

/** A fixed seed: the same requests in every run, as far as the answers let them. */
const SEED = '20261121';
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_schema_conformance',
];

describe.skipIf(!(await hasServer('schemathesis')))('requests made from the OpenAPI document', () => {
  let system: System;
  beforeAll(async () => {
    system = await startSystem({
      API_KEY: 'the-key-of-the-fuzzer-0123456789',
      RATE_LIMIT_READ: '0',
      RATE_LIMIT_WRITE: '0',
      RATE_LIMIT_SEARCH: '0',
      RATE_LIMIT_AGENT: '0',
    });
  });
  afterAll(async () => {
    await system?.stop();
    if (system) removeDataDir(system);
  });

  /** Things that are there, by the parameter that names them: half of the requests go to one of these. */
  async function things(): Promise<Record<string, string>> {
    const made = async (path: string, body: Record<string, unknown>) => {
      const answer = await system.call('POST', `/api/v1/${path}`, body);
      expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
      return answer.body;
    };
    const stage = { name: 'read', type: 'data-ingestion', required: true, timeout: 60, config: { rows: [{ a: 1 }] } };
    const agent = await made('agents/register', { name: 'fuzz', type: 'worker', capabilities: ['nothing'] });
    const task = await made('tasks', { type: 'analysis', payload: {}, executor: 'agent' });
    const pipeline = await made('pipelines', { name: 'fuzz', stages: [stage] });
    const run = await made(`pipelines/${pipeline.pipeline_id}/execute`, {});
    const file = await upload(system, 'slack', 'users.json', Buffer.from('[{"id":"U1","name":"a"}]'));
    return {
      agent_id: agent.agent_id,
      task_id: task.task_id,
      pipeline_id: pipeline.pipeline_id,
      run_id: run.run_id,
      workflow_id: run.workflow_id,
      file_id: file.body.file_id,
    };
  }

  it('meet no 5xx and nothing undocumented', async () => {
    const document = join(system.dataDir, 'openapi.json');
    const { body } = await system.call('GET', '/openapi.json');
    writeFileSync(document, JSON.stringify(body));
    const settings = join(system.dataDir, 'schemathesis.toml');
    writeFileSync(settings, settingsFor(await things()));
    const { code, output } = await fuzz(system.dataDir, [
      ...['--config-file', settings],
      ...['run', document, '--url', system.url, '-H', `Authorization: Bearer ${system.key}`],
      ...['--checks', CHECKS.join(','), '--phases', 'examples,coverage,fuzzing'],
      ...[
        '--max-examples',
        '2',
        '--max-time',
        '300',
        '--workers',
        '4',
        '--seed',
        SEED,
        '--request-timeout',
        '60',
        '--no-color',
      ],
    ]);
    expect(code, output.slice(-12_000)).toBe(0);
    const tested = Number(/Tested: (\d+)/.exec(output)?.[1]);
    const operations = Object.values(body.paths as Record<string, object>).flatMap(Object.keys).length;
    expect(tested).toBe(operations);
    expect(Number(/(\d+) generated/.exec(output)?.[1])).toBeGreaterThan(operations * 20);
  }, 420_000);
});

function settingsFor(things: Record<string, string>): string {
  const names = Object.keys(things);
  return [
    '[dictionaries]',
    ...names.map((name) => `${name} = { values = [${JSON.stringify(things[name])}] }`),
    '[parameters]',
    ...names.map((name) => `"path.${name}" = { dictionary = "${name}", probability = 0.5 }`),
  ].join('\n');
}

/** Runs in `folder`, where it leaves what it remembers. */
async function fuzz(folder: string, args: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(await requirePath(SCHEMATHESIS), args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  child.stderr.on('data', (chunk) => (output += chunk));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, output };
}
