/** The other doors on the running system: MCP of both eras over HTTP and stdio, tasks that outlive it, the command line. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { CallToolResultSchema, CreateTaskResultSchema } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectCurrent, connectPrevious } from '../fixtures/mcp/clients.ts';
import { modernCall } from '../fixtures/mcp/raw.ts';
import { type System, untilOver, upload } from '../support/system.ts';
import { caller, exportOf, openStage, ROOT, SAMPLES, type Stage, seenBy, until } from './outside.ts';

const CONTEXT = 'ostinato://context/data_ingestion';
const INLINE = JSON.stringify([
  { type: 'message', user: 'U0AAAAAAA', ts: '1735725600.000100', text: 'The heliograph of Alder Bay blinks twice.' },
  { type: 'message', user: 'U0AAAAAAA', ts: '1735725601.000100', text: 'Second message.' },
]);

let stage: Stage;
let ada: System & { id: string };
let ben: System & { id: string };
let folder: string;
const mcp = () => `${stage.system().url}/mcp`;
/** A principal as the running system sees it, which may be another process than before. */
const as = (who: System) => seenBy(stage.system(), who.key);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ostinato-doors-'));
  stage = await openStage();
  ada = await caller(stage.system(), 'analyst');
  ben = await caller(stage.system(), 'analyst');
}, 240_000);
afterAll(async () => {
  await stage?.close();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

async function midParse(who: System, messages: number, seed: string) {
  const { status, body } = await upload(as(who), 'slack', `${seed}.zip`, await exportOf(messages, seed));
  expect(status).toBe(202);
  await until(async () => (await as(who).call('GET', `/api/v1/files/${body.file_id}`)).body.total_records > 0);
  return body as { file_id: string; workflow_id: string };
}

describe('MCP over HTTP', () => {
  const ingest = (content: string, filename: string) => ({
    name: 'ingest_file',
    arguments: { source_type: 'slack', content, filename },
  });

  test('a client that speaks tasks gets the workflow as one, and its result in the shape of the tool', async () => {
    const started = await modernCall(mcp(), ada.key, 'tools/call', ingest(INLINE, 'inline.json'), { tasks: true });
    expect(started.result, JSON.stringify(started.error)).toMatchObject({ resultType: 'task', status: 'working' });
    const taskId = String(started.result?.taskId);
    expect(taskId).toMatch(/^ingest-[0-9a-f-]{36}$/);
    const done = await until(async () => {
      const { result } = await modernCall(mcp(), ada.key, 'tasks/get', { taskId }, { tasks: true });
      return result?.status === 'completed' && result;
    });
    const outcome = done.result as { structuredContent: Record<string, any>; isError?: boolean };
    expect(outcome.isError).not.toBe(true);
    expect(outcome.structuredContent).toMatchObject({
      workflow_id: taskId,
      status: 'completed',
      file: { filename: 'inline.json', total_records: 2 },
    });
    const run = await as(ada).call('GET', `/api/v1/workflows/${taskId}`);
    expect(run.body).toMatchObject({ status: 'completed', resource: `file:${outcome.structuredContent.file_id}` });
    // The same content once more leads to the same file, whose task is over.
    const again = await modernCall(mcp(), ada.key, 'tools/call', ingest(INLINE, 'inline.json'), { tasks: true });
    expect(again.result).toMatchObject({ resultType: 'task', taskId, status: 'completed' });
  });

  test('a file that fails is a task with an error that tells why', async () => {
    const started = await modernCall(mcp(), ada.key, 'tools/call', ingest('[{"a":1}]', 'bad.json'), { tasks: true });
    const taskId = String(started.result?.taskId);
    const done = await until(async () => {
      const { result } = await modernCall(mcp(), ada.key, 'tasks/get', { taskId }, { tasks: true });
      return result?.status !== 'working' && result;
    });
    expect(done).toMatchObject({ status: 'completed', result: { isError: true } });
    expect(JSON.stringify(done)).toContain('bad.json line 1');
    const empty = await modernCall(mcp(), ada.key, 'tools/call', ingest('<html>', 'page.json'), { tasks: true });
    expect(empty.result).toMatchObject({ isError: true });
    expect(JSON.stringify(empty.result)).toContain('wrong_type');
  });

  test("a task outlives every process, shows to its owner alone, and its cancel is the workflow's", {
    timeout: 120_000,
  }, async () => {
    const { file_id, workflow_id: taskId } = await midParse(ada, 20_000, 'task');
    expect((await as(ada).call('POST', `/api/v1/files/${file_id}/pause`)).body.status).toBe('paused');
    const get = (who: System, id = taskId) => modernCall(mcp(), who.key, 'tasks/get', { taskId: id }, { tasks: true });
    expect((await get(ada)).result).toMatchObject({ status: 'working', taskId });

    await stage.restart();
    expect((await get(ada)).result).toMatchObject({ status: 'working', taskId });
    const never = await get(ada, 'ingest-00000000-0000-4000-8000-000000000000');
    expect(never.error).toBeDefined();
    for (const other of [ben, stage.system()]) {
      expect((await get(other)).error).toEqual(never.error);
      const refused = await modernCall(mcp(), other.key, 'tasks/cancel', { taskId }, { tasks: true });
      expect(refused.error).toEqual(never.error);
    }
    expect((await get(ada)).result).toMatchObject({ status: 'working' });

    await modernCall(mcp(), ada.key, 'tasks/cancel', { taskId }, { tasks: true });
    await until(async () => (await get(ada)).result?.status === 'cancelled');
    expect(await untilOver(as(ada), file_id)).toMatchObject({ status: 'cancelled', total_records: 0 });
    expect((await as(ada).call('GET', `/api/v1/workflows/${taskId}`)).body.engine.status).toBe('cancelled');
    await as(ada).call('DELETE', `/api/v1/files/${file_id}`);
  });

  test('a task of 2025-11-25 gives its result to the previous client', async () => {
    const { client, close } = await connectPrevious(mcp(), ada.key, 'http');
    // Listed first: the client checks results against the tool's schema from then on.
    await client.listTools();
    const content = JSON.stringify([{ type: 'message', user: 'U0AAAAAAA', ts: '1735725700.000100', text: 'old era' }]);
    const { task } = await client.request(
      { method: 'tools/call', params: { ...ingest(content, 'old.json'), task: { ttl: 60_000 } } },
      CreateTaskResultSchema,
    );
    const result = await client.experimental.tasks.getTaskResult(task.taskId, CallToolResultSchema);
    expect(result.structuredContent).toMatchObject({ workflow_id: task.taskId, file: { total_records: 1 } });
    expect((await client.experimental.tasks.listTasks()).tasks.map((one) => one.taskId)).toContain(task.taskId);
    const other = await connectPrevious(mcp(), ben.key, 'http');
    await expect(other.client.experimental.tasks.getTask(task.taskId)).rejects.toThrow('No such task');
    await other.close();
    await close();
  });

  test.each(['modern', 'legacy'] as const)(
    'the tools do their work for the current client (%s)',
    { timeout: 90_000 },
    async (era) => {
      const { call, listTools, readResource, close } = await connectCurrent(mcp(), ada.key, 'http', era);
      const names = (await listTools()).map((tool) => tool.name);
      expect(names).toEqual(
        expect.arrayContaining([
          'ingest_file',
          'search_content',
          'get_query_suggestions',
          'get_processing_status',
          'list_workflows',
          'get_workflow',
          'wait_for_workflow',
          'cancel_workflow',
          'signal_workflow',
          'list_available_tools',
          'call_tool',
        ]),
      );

      // Without tasks the handle comes at once.
      const content = JSON.stringify([
        { type: 'message', user: 'U0AAAAAAA', ts: '1735725800.000100', text: `zephyr ${era}` },
      ]);
      const handle = await call('ingest_file', { source_type: 'slack', content, filename: `${era}.json` });
      const { file_id, workflow_id } = handle.structuredContent as { file_id: string; workflow_id: string };
      const waited = await call('wait_for_workflow', { workflow_id, timeout_seconds: 30 });
      expect(waited.structuredContent).toMatchObject({ finished: true, status: 'completed' });
      const found = await call('search_content', { query: 'zephyr' });
      expect(JSON.stringify(found.structuredContent)).toContain(`zephyr ${era}`);
      const suggestions = await call('get_query_suggestions', { q: 'zeph' });
      expect(suggestions.structuredContent).toEqual({ suggestions: ['zephyr'] });
      const records = await call('call_tool', { name: 'files.records', arguments: { file_id } });
      expect(JSON.parse(records.content[0]?.text ?? '').items).toMatchObject([{ text: `zephyr ${era}` }]);

      const running = await midParse(ada, 20_000, `mcp-${era}`);
      const status = await call('get_processing_status', {});
      expect(status.structuredContent).toMatchObject({
        queue_status: { processing: 1 },
        active_files: [{ file_id: running.file_id, status: 'processing' }],
      });
      const seen: { progress: number; message?: string | undefined }[] = [];
      const bounded = await call(
        'wait_for_workflow',
        { workflow_id: running.workflow_id, timeout_seconds: 0.5 },
        { onprogress: (progress) => void seen.push(progress) },
      );
      expect(bounded.structuredContent).toMatchObject({ finished: false, status: 'running' });
      expect(seen.length).toBeGreaterThan(0);
      expect(seen[0]?.message).toContain(`mcp-${era}.zip`);
      const signalled = await call('signal_workflow', { workflow_id: running.workflow_id, signal: 'pause' });
      expect(signalled.isError).not.toBe(true);
      await until(async () => (await as(ada).call('GET', `/api/v1/files/${running.file_id}`)).body.status === 'paused');
      const context = JSON.parse((await readResource(CONTEXT))[0]?.text ?? '');
      expect(context).toEqual((await as(ada).call('GET', '/api/v1/context/data_ingestion')).body);
      expect(context.workflow_state.active_files).toMatchObject([{ file_id: running.file_id, status: 'paused' }]);
      await call('cancel_workflow', { workflow_id: running.workflow_id });
      expect(await untilOver(as(ada), running.file_id)).toMatchObject({ status: 'cancelled' });
      const list = await call('list_workflows', { limit: 1 });
      expect(list.structuredContent).toMatchObject({
        items: [{ workflow_id: running.workflow_id, status: 'cancelled' }],
      });

      const inner = await call('call_tool', { name: 'no_such_tool', arguments: {} });
      expect(inner.isError).toBe(true);
      expect(JSON.stringify(inner.content)).toContain('search_content');
      await expect(call('no_such_tool', {})).rejects.toThrow(/search_content/);
      for (const file of [file_id, running.file_id]) await as(ada).call('DELETE', `/api/v1/files/${file}`);
      await close();
    },
  );

  test('a subscription hears of a change that came through another API process', { timeout: 60_000 }, async () => {
    const { system: other, stop } = await stage.secondApi();
    const { client, close } = await connectCurrent(mcp(), ada.key, 'http', 'modern');
    const changed: string[] = [];
    client.setNotificationHandler('notifications/resources/updated', ({ params }) => void changed.push(params.uri));
    const subscription = await client.listen({ resourceSubscriptions: [CONTEXT] });
    expect(subscription.honoredFilter).toEqual({ resourceSubscriptions: [CONTEXT] });
    const before = changed.length;
    const answer = await seenBy(other, ada.key).call('POST', '/api/v1/query', { query: 'asked elsewhere' });
    expect(answer.status).toBe(200);
    await until(async () => changed.length > before);
    const text = (await client.readResource({ uri: CONTEXT })).contents[0] as { text: string };
    expect(JSON.parse(text.text).query_context.recent_queries[0]).toMatchObject({ query: 'asked elsewhere' });
    await subscription.close();
    await close();
    await stop();
  });
});

/** The command line as scripts run it: piped, with the address and key in the environment. */
async function ostinato(args: string[], options: { input?: string; key?: string } = {}) {
  const child = start(args, options.key ?? ada.key);
  let out = '';
  let err = '';
  child.stdout?.on('data', (chunk) => (out += chunk));
  child.stderr?.on('data', (chunk) => (err += chunk));
  child.stdin?.end(options.input ?? '');
  const [code] = await once(child, 'close');
  const lines = out.split('\n').filter((line) => line !== '');
  return { code, out, err, lines };
}

function start(args: string[], key: string): ChildProcess {
  return spawn(process.execPath, [join(ROOT, 'bin/ostinato.js'), ...args], {
    cwd: folder,
    env: { ...process.env, OSTINATO_URL: stage.system().url, OSTINATO_API_KEY: key, DATA_DIR: join(folder, 'none') },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

describe('MCP over stdio', () => {
  test('a client that starts `ostinato mcp` talks to the running system', async () => {
    const client = new Client({ name: 'doors', version: '1' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
    const env = Object.fromEntries(Object.entries(process.env).flatMap(([k, v]) => (v === undefined ? [] : [[k, v]])));
    await client.connect(
      new StdioClientTransport({
        command: process.execPath,
        args: [join(ROOT, 'bin/ostinato.js'), 'mcp'],
        cwd: folder,
        env: { ...env, OSTINATO_URL: stage.system().url, OSTINATO_API_KEY: ada.key },
        stderr: 'ignore',
      }),
    );
    const found = await client.callTool({ name: 'search_content', arguments: { query: 'heliograph' } });
    expect(JSON.stringify(found)).toContain('Alder Bay');
    const read = await client.readResource({ uri: CONTEXT });
    expect(JSON.parse((read.contents[0] as { text: string }).text).context_type).toBe('data_ingestion');
    await client.close();
  });

  test('what was asked before the end of the input is answered before the program ends', async () => {
    const meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 'pipe', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': {},
    };
    const message = (id: number, method: string, params: object) =>
      `${JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...params, _meta: meta } })}\n`;
    const { code, lines, err } = await ostinato(['mcp'], {
      input:
        message(1, 'tools/list', {}) +
        message(2, 'tools/call', { name: 'search_content', arguments: { query: 'heliograph' } }) +
        message(3, 'subscriptions/listen', { notifications: { resourceSubscriptions: [CONTEXT] } }),
    });
    expect([code, err]).toEqual([0, '']);
    const answers = new Map(lines.map((line) => JSON.parse(line)).map((answer) => [answer.id, answer]));
    expect(answers.get(1).result.tools.length).toBeGreaterThan(5);
    expect(JSON.stringify(answers.get(2).result)).toContain('Alder Bay');
  });
});

describe('the command line', () => {
  test('ingests, watches, and says in JSON lines what came of it', { timeout: 90_000 }, async () => {
    const file = join(SAMPLES, 'salesforce/Account.csv');
    const { code, lines, err } = await ostinato(['ingest', file, '--source', 'salesforce', '--watch']);
    expect([code, err]).toEqual([0, '']);
    const objects = lines.map((line) => JSON.parse(line));
    const accepted = objects.find((one) => one.kind === 'accepted');
    expect(accepted).toMatchObject({
      kind: 'accepted',
      filename: 'Account.csv',
      source_type: 'salesforce',
      duplicate: false,
    });
    expect(objects.at(-1)).toMatchObject({ kind: 'file', status: 'completed', total_records: 8, duplicate: false });

    const again = await ostinato(['ingest', file, '--source', 'salesforce', '--watch']);
    expect(again.code).toBe(0);
    expect(JSON.parse(again.lines.at(-1) ?? '')).toMatchObject({ file_id: accepted.file_id, duplicate: true });

    const files = await ostinato(['files', 'list', '--source', 'salesforce']);
    expect(files.lines.map((line) => JSON.parse(line))).toMatchObject([{ kind: 'file', file_id: accepted.file_id }]);
    const table = await ostinato(['files', '--table']);
    expect(table.out).toContain('Account.csv');
    const records = await ostinato(['files', 'records', accepted.file_id]);
    expect(records.lines).toHaveLength(8);

    const runs = await ostinato(['workflows', 'list', '--limit', '3']);
    expect(runs.code).toBe(0);
    expect(runs.lines.map((line) => JSON.parse(line).workflow_id)).toContain(accepted.workflow_id);
    const run = await ostinato(['workflows', 'show', accepted.workflow_id]);
    expect(JSON.parse(run.lines[0] ?? '')).toMatchObject({ status: 'completed', workflow_id: accepted.workflow_id });

    const search = await ostinato(['search', 'heliograph']);
    expect(search.code).toBe(0);
    expect(search.out).toContain('Alder Bay');
  });

  test('a file that fails, or is refused, or is not there, has an exit code of its own', {
    timeout: 60_000,
  }, async () => {
    writeFileSync(join(folder, 'bad.json'), '[{"b":1}]');
    const failed = await ostinato(['ingest', 'bad.json', '--source', 'slack', '--watch']);
    expect(failed.code).toBe(1);
    expect(JSON.parse(failed.lines.at(-1) ?? '')).toMatchObject({ status: 'failed', error: { code: 'malformed' } });
    writeFileSync(join(folder, 'page.json'), '<html>');
    const refused = await ostinato(['ingest', 'page.json', '--source', 'slack']);
    expect([refused.code, refused.lines]).toEqual([1, []]);
    expect(refused.err).toContain('page.json');
    expect((await ostinato(['ingest', 'none.json', '--source', 'slack'])).code).toBe(2);
    expect((await ostinato(['ingest', 'bad.json', '--source', 'myspace'])).code).toBe(2);
    expect((await ostinato(['files', 'show', '00000000-0000-4000-8000-000000000000'])).code).toBe(5);
    expect((await ostinato(['files'], { key: 'ost_not-a-key-at-all' })).code).toBe(4);
    expect((await ostinato(['keys', 'list'])).code).toBe(4);
    expect((await ostinato(['files', '--url', 'http://127.0.0.1:9'])).code).toBe(3);
  });

  test('makes, lists and revokes keys', { timeout: 60_000 }, async () => {
    const admin = { key: stage.system().key };
    const made = await ostinato(['keys', 'create', '--name', 'for a script', '--role', 'viewer'], admin);
    expect(made.code).toBe(0);
    const { key, key_id } = JSON.parse(made.lines[0] ?? '');
    expect((await ostinato(['files'], { key })).code).toBe(0);
    const list = await ostinato(['keys', 'list'], admin);
    expect(list.out).toContain(key_id);
    expect(list.out).not.toContain(key);
    expect((await ostinato(['keys', 'revoke', key_id], admin)).code).toBe(0);
    await until(async () => (await ostinato(['files'], { key })).code === 4, 20);
  });

  test('shows the settings in force without their secrets', async () => {
    const { code, out, lines } = await ostinato(['config']);
    expect(code).toBe(0);
    expect(out).not.toContain(ada.key);
    const shown = Object.fromEntries(lines.map((line) => JSON.parse(line)).map((one) => [one.name, one.value]));
    expect(shown).toMatchObject({ OSTINATO_API_KEY: '********', OSTINATO_URL: stage.system().url });
  });
});
