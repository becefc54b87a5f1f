/** What every client meets, whatever its generation, era and wire. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AnyClient, connectCurrent, connectPrevious } from '../../fixtures/mcp/clients.ts';
import { CONTEXT_URI, type House, openHouse, RUN_URI } from '../../fixtures/mcp/house.ts';
import { KEYS } from '../../fixtures/mcp/principals.ts';
import { type Served, serveDoor } from '../../fixtures/mcp/serve.ts';

const CLIENTS = [
  {
    who: 'current SDK, 2026-07-28',
    version: '2026-07-28',
    connect: (url: string, wire: 'http' | 'stdio') => connectCurrent(url, 'key-of-ada', wire, 'modern'),
  },
  {
    who: 'current SDK, 2025-11-25',
    version: '2025-11-25',
    connect: (url: string, wire: 'http' | 'stdio') => connectCurrent(url, 'key-of-ada', wire, 'legacy'),
  },
  {
    who: 'previous SDK, 2025-11-25',
    version: '2025-11-25',
    connect: (url: string, wire: 'http' | 'stdio') => connectPrevious(url, 'key-of-ada', wire),
  },
];

for (const wire of ['http', 'stdio'] as const) {
  describe.each(CLIENTS)(`over ${wire}: $who`, ({ version, connect }) => {
    let house: House;
    let served: Served;
    let client: AnyClient;

    beforeAll(async () => {
      house = openHouse();
      served = await serveDoor(house.door, { who: KEYS });
      client = await connect(served.url, wire);
    });
    afterAll(async () => {
      await client?.close();
      await served?.close();
    });

    test('speaks its own version', () => {
      expect(client.version()).toBe(version);
    });

    test('lists the listed tools and the two that reach the rest', async () => {
      const tools = await client.listTools();
      expect(tools.map((tool) => tool.name)).toEqual([
        'ingest_file',
        'search_content',
        'wait_for_workflow',
        'get_workflow',
        'list_available_tools',
        'call_tool',
      ]);
      const ingest = tools.find((tool) => tool.name === 'ingest_file');
      expect(ingest?.annotations).toMatchObject({ readOnlyHint: false, destructiveHint: false, idempotentHint: false });
      expect(ingest?.outputSchema).toMatchObject({ type: 'object', required: ['file_id', 'workflow_id'] });
      expect(ingest?.execution).toEqual(version === '2025-11-25' ? { taskSupport: 'optional' } : undefined);
    });

    test('answers with structured content that its schema admits, and the same as text', async () => {
      const answer = await client.call('search_content', { query: 'pricing' });
      expect(answer.structuredContent).toEqual({ result_count: 1, results: [{ text: 'found <pricing>' }] });
      expect(JSON.parse(answer.content[0]?.text ?? '')).toEqual(answer.structuredContent);
      expect(answer.isError).toBeFalsy();
    });

    test('gets the handle of long work at once when it does not speak tasks', async () => {
      const answer = await client.call('ingest_file', { filename: 'a.zip', fate: 'endless' });
      expect(answer.structuredContent).toEqual({ file_id: 'a.zip', workflow_id: expect.any(String) });
    });

    test('gets growing progress, on one clean line each, before the result', async () => {
      const seen: { progress: number; total?: number | undefined; message?: string | undefined }[] = [];
      const answer = await client.call(
        'wait_for_workflow',
        { workflow_id: 'w' },
        { onprogress: (progress) => seen.push(progress) },
      );
      expect(answer.structuredContent).toEqual({ status: 'completed' });
      expect(seen.map(({ progress, total, message }) => [progress, total, message])).toEqual([
        [1, 3, 'step 1 of 3'],
        [2, 3, 'step 2 of 3'],
        [3, 3, 'step 3 of 3'],
      ]);
    });

    test('cancelling a call ends the work behind it', async () => {
      const controller = new AbortController();
      const call = client.call(
        'wait_for_workflow',
        { workflow_id: 'cancelled', steps: 100_000 },
        { signal: controller.signal, onprogress: () => controller.abort() },
      );
      await expect(call).rejects.toThrow();
      await expect.poll(() => house.seen.aborted, { timeout: 5_000 }).toContain('cancelled');
    });

    test('reads failures as errors with code, detail and faults', async () => {
      const answer = await client.call('search_content', { query: '', limit: 99 });
      expect(answer.isError).toBe(true);
      expect(answer._meta?.['ostinato/error']).toMatchObject({
        code: 'invalid_input',
        retryable: false,
        faults: [{ path: 'query' }, { path: 'limit' }],
      });
      expect(answer.content[0]?.text).toMatch(/^Error invalid_input: .*\n.*\n- "query": /);
    });

    test('never sees a stack or the text of a bug', async () => {
      const answer = await client.call('get_workflow', { workflow_id: 'bug' });
      expect(answer.isError).toBe(true);
      expect(JSON.stringify(answer)).not.toMatch(/secret|line 7|at /);
      expect(house.logged).toHaveLength(1);
    });

    test('is told the valid names when a tool does not exist', async () => {
      await expect(client.call('serch_content', {})).rejects.toThrow(/No tool .*serch_content.* search_content, /s);
      const inner = await client.call('call_tool', { name: 'serch_content' });
      expect(inner.isError).toBe(true);
      expect(inner.content[0]?.text).toMatch(/unknown_tool.*search_content/s);
    });

    test('finds and calls what is not listed', async () => {
      const listed = await client.call('list_available_tools', { room: 'ingestion', tool: 'rename_file' });
      expect(listed.structuredContent).toMatchObject({
        tools: [{ name: 'ingest_file' }, { name: 'rename_file', room: 'ingestion', summary: 'Rename a file' }],
        tool: { name: 'rename_file', input_schema: { required: ['file_id', 'name'] } },
      });
      const answer = await client.call('call_tool', { name: 'rename_file', arguments: { file_id: 'f', name: 'n' } });
      expect(JSON.parse(answer.content[0]?.text ?? '')).toEqual({ file_id: 'f', name: 'n' });
    });

    test('reads the context document, as it is now', async () => {
      const before = JSON.parse((await client.readResource(CONTEXT_URI))[0]?.text ?? '');
      house.change();
      const after = JSON.parse((await client.readResource(CONTEXT_URI))[0]?.text ?? '');
      expect(after).toEqual({ current_phase: 'idle', version: before.version + 1 });
      await expect(client.readResource('ostinato://context/none')).rejects.toThrow();
    });

    test('finds the templates of runs and reads one', async () => {
      expect((await client.listTemplates()).map(({ uriTemplate }) => uriTemplate)).toEqual([
        'ostinato://runs/{run_id}',
      ]);
      expect(JSON.parse((await client.readResource(RUN_URI))[0]?.text ?? '')).toMatchObject({ run_id: 'run-1' });
    });

    test('picks a prompt that drafts a pipeline, and one that explains a run', async () => {
      const prompts = await client.listPrompts();
      expect(prompts.map(({ name, arguments: args }) => [name, args?.map((arg) => [arg.name, arg.required])])).toEqual([
        [
          'draft_pipeline',
          [
            ['goal', true],
            ['source', undefined],
          ],
        ],
        ['explain_run', [['run_id', true]]],
      ]);
      const draft = await client.getPrompt('draft_pipeline', { goal: 'sum by day', source: 's3://b/a.csv' });
      expect(draft).toContain('Goal: sum by day\nSource: s3://b/a.csv\n');
      const explained = await client.getPrompt('explain_run', { run_id: 'run-1' });
      expect(explained).toMatch(/\n\{"run_id":"run-1","status":"failed"\}$/);
      await expect(client.getPrompt('explain_run', { run_id: 'run-2' })).rejects.toThrow('No such run');
      await expect(client.getPrompt('draft_pipeline', { goal: ' ' })).rejects.toThrow('goal is missing');
      await expect(client.getPrompt('draft_pipelin', {})).rejects.toThrow('No such prompt');
    });
  });
}
