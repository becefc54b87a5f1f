/** Pipelines and tasks over MCP with real workflows behind them: resources, prompts, tasks of both eras, progress. */
import { CallToolResultSchema, CreateTaskResultSchema } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { artifactUri, runUri } from '../../../src/schema/run-uris.ts';
import { connectCurrent, connectPrevious } from '../../fixtures/mcp/clients.ts';
import { modernCall, type RawAnswer } from '../../fixtures/mcp/raw.ts';
import { openStand, type Stand } from '../cli/stand.ts';

const READ = { name: 'read', type: 'data-ingestion', config: { rows: [{ n: 1 }, { n: 2 }] } };
const WRITE = { name: 'write', type: 'output', config: { format: 'csv' } };
const chain = (...stages: object[]) => ({
  name: 'over mcp',
  stages,
  dependencies: stages.slice(1).map((_, n) => ({ from: n, to: n + 1 })),
});

let stand: Stand;
let url: string;
let key: string;
let other: string;

beforeAll(async () => {
  stand = await openStand();
  url = `${stand.url}/mcp`;
  key = (await stand.key('developer')).key;
  other = (await stand.key('developer')).key;
}, 120_000);
afterAll(() => stand?.close());

const call = (name: string, args: object, options: { tasks?: boolean } = {}, by = key) =>
  modernCall(url, by, 'tools/call', { name, arguments: args }, options);
const structured = (answer: RawAnswer) => answer.result?.structuredContent as Record<string, string>;
const read = async (uri: string, by = key) => {
  const { result, error } = await modernCall(url, by, 'resources/read', { uri });
  return { content: (result?.contents as Record<string, string>[] | undefined)?.[0], error };
};

async function create(pipeline: object): Promise<string> {
  return structured(await call('create_pipeline', pipeline)).pipeline_id ?? '';
}

/** A finished run of its own. */
async function finished(...stages: object[]): Promise<string> {
  const started = structured(await call('execute_pipeline', { pipeline_id: await create(chain(...stages)) }));
  await stand.over(started.run_id ?? '');
  return started.run_id ?? '';
}

const get = async (taskId: string) =>
  (await modernCall(url, key, 'tasks/get', { taskId }, { tasks: true })).result as Record<string, any>;
const ended = async (taskId: string) => {
  await expect.poll(async () => (await get(taskId)).status, { timeout: 30_000 }).not.toBe('working');
  return get(taskId);
};

test('pipelines are found by their name, among those that the caller may see', async () => {
  const named = (name: string) => ({ ...chain(READ), name });
  const ids = [await create(named('nightly')), await create(named('nightly')), await create(named('nightly 2'))];
  const found = async (name: string, by = key) => {
    const answer = await call('call_tool', { name: 'pipelines.list', arguments: { name } }, {}, by);
    return (structured(answer) as Record<string, any>).items.map((item: { pipeline_id: string }) => item.pipeline_id);
  };
  expect(await found(' nightly ')).toEqual([ids[1], ids[0]]);
  expect(await found('night')).toEqual([]);
  expect(await found('nightly', other)).toEqual([]);
});

describe('resources', () => {
  test('a run and what it made are read by address; what is large is a link', async () => {
    const sql = "SELECT range AS n, 'some text for each row' AS text FROM range(20000)";
    const run = await finished(READ, { name: 'many', type: 'transformation', config: { sql } }, WRITE);
    const document = JSON.parse((await read(runUri(run))).content?.text ?? '');
    expect(document).toMatchObject({ run_id: run, status: 'completed', stages: [{ name: 'read' }, {}, {}] });
    const small = await finished(READ, WRITE);
    expect((await read(artifactUri(small, 'write/output.csv'))).content).toEqual({
      uri: artifactUri(small, 'write/output.csv'),
      mimeType: expect.stringContaining('text/csv'),
      text: 'n\n1\n2\n',
    });
    const table = (await read(artifactUri(small, 'read/dataset.parquet'))).content;
    expect(
      Buffer.from(table?.blob ?? '', 'base64')
        .subarray(0, 4)
        .toString(),
    ).toBe('PAR1');
    const large = JSON.parse((await read(artifactUri(run, 'write/output.csv'))).content?.text ?? '');
    expect(large).toMatchObject({ name: 'write/output.csv', rows: 20_000, too_large_to_read_here: true });
    expect(large.bytes).toBeGreaterThan(256 * 1024);
    expect(large.download).toMatch(/^https?:\/\/.*\/api\/v1\/pipeline-runs\/.*\/artifacts\/write%2Foutput\.csv$/);
  }, 60_000);

  test('are listed with their templates, and to nobody else', async () => {
    const run = await finished(READ);
    const mine = await connectPrevious(url, key, 'http');
    const theirs = await connectPrevious(url, other, 'http');
    expect((await mine.client.listResources()).resources.map(({ uri }) => uri)).toContain(runUri(run));
    expect((await theirs.client.listResources()).resources.map(({ uri }) => uri)).not.toContain(runUri(run));
    expect((await mine.listTemplates()).map(({ uriTemplate }) => uriTemplate)).toEqual([
      'ostinato://runs/{run_id}',
      'ostinato://runs/{run_id}/artifacts/{+name}',
    ]);
    for (const uri of [runUri(run), artifactUri(run, 'read/dataset.parquet')]) {
      const never = await read(runUri('never'), other);
      expect((await read(uri, other)).error?.code).toBe(never.error?.code);
    }
    expect((await read(artifactUri(run, 'read/none'))).error).toBeDefined();
    await mine.close();
    await theirs.close();
  }, 60_000);

  test('a subscription to a run hears of each of its steps', async () => {
    const { client, close } = await connectCurrent(url, key, 'http', 'modern');
    const approving = chain(READ, { ...WRITE, approval: true });
    const { run_id = '' } = structured(await call('execute_pipeline', { pipeline_id: await create(approving) }));
    const waiting = await stand.until(run_id, (run) => run.approvals.length > 0);
    const changed: string[] = [];
    client.setNotificationHandler('notifications/resources/updated', ({ params }) => void changed.push(params.uri));
    await client.listen({ resourceSubscriptions: [runUri(run_id)] });
    const { approval_id } = waiting.approvals[0];
    const decided = await call('decide_approval', { approval_id, decision: 'approve', comment: 'go on' });
    expect(structured(decided)).toMatchObject({ status: 'approved', comment: 'go on' });
    await stand.over(run_id);
    await expect.poll(() => changed.length, { timeout: 10_000 }).toBeGreaterThan(1);
    expect(new Set(changed)).toEqual(new Set([runUri(run_id)]));
    await close();
  }, 60_000);

  test('a subscription to the list hears of a new run, once', async () => {
    const { client, close } = await connectCurrent(url, key, 'http', 'modern');
    let heard = 0;
    client.setNotificationHandler('notifications/resources/list_changed', () => void heard++);
    const { honoredFilter } = await client.listen({ resourcesListChanged: true });
    expect(honoredFilter).toEqual({ resourcesListChanged: true });
    const run = await finished(READ, WRITE);
    await expect.poll(() => heard, { timeout: 10_000 }).toBe(1);
    const { resources } = await client.listResources();
    expect(resources.map(({ uri }) => uri)).toContain(runUri(run));
    expect(heard).toBe(1);
    await close();
  }, 60_000);

  test('a prompt explains a run to its owner alone', async () => {
    const run = await finished(READ);
    const mine = await connectPrevious(url, key, 'http');
    expect(await mine.getPrompt('explain_run', { run_id: run })).toContain(`"run_id":"${run}"`);
    const theirs = await connectPrevious(url, other, 'http');
    await expect(theirs.getPrompt('explain_run', { run_id: run })).rejects.toThrow('No such run');
    await mine.close();
    await theirs.close();
  }, 60_000);
});

describe('tasks', () => {
  test('a run is a task whose end holds the run', async () => {
    const pipeline_id = await create(chain(READ, WRITE));
    const { result } = await call('execute_pipeline', { pipeline_id }, { tasks: true });
    expect(result).toMatchObject({ resultType: 'task', status: 'working' });
    const over = await ended(String(result?.taskId));
    expect(over).toMatchObject({
      status: 'completed',
      result: { structuredContent: { status: 'completed', run: { status: 'completed', stages: [{}, {}] } } },
    });
    expect(over.result.isError).toBeFalsy();
  }, 60_000);

  test('a run that fails is a completed task with its error', async () => {
    const broken = { name: 'check', type: 'validation', config: { rules: [{ type: 'range', column: 'n', max: 1 }] } };
    const { result } = await call(
      'execute_pipeline',
      { pipeline_id: await create(chain(READ, broken)) },
      { tasks: true },
    );
    const over = await ended(String(result?.taskId));
    expect(over).toMatchObject({ status: 'completed', result: { isError: true } });
    expect(over.result.content[0].text).toMatch(/^Error validation_failed: /);
  }, 60_000);

  test('a run that waits says for what; cancelling the task cancels the run', async () => {
    const approving = chain(READ, { ...WRITE, approval: { message: 'Ship it?' } });
    const { result } = await call('execute_pipeline', { pipeline_id: await create(approving) }, { tasks: true });
    const id = String(result?.taskId);
    await expect
      .poll(async () => (await get(id)).statusMessage, { timeout: 20_000 })
      .toMatch(/write waits for approval /);
    await modernCall(url, key, 'tasks/cancel', { taskId: id }, { tasks: true });
    expect((await ended(id)).status).toBe('cancelled');
    const run = await stand.over(id.replace(/^run-/, ''));
    expect(run).toMatchObject({ status: 'cancelled' });
  }, 60_000);

  test('a run that waits for an approval asks a client that can ask its user, and takes the answer', async () => {
    const approving = chain(READ, { ...WRITE, approval: { message: 'Ship it?' } });
    const { result } = await call('execute_pipeline', { pipeline_id: await create(approving) }, { tasks: true });
    const taskId = String(result?.taskId);
    const capable = { tasks: true, forms: true };
    const look = async () =>
      (await modernCall(url, key, 'tasks/get', { taskId }, capable)).result as Record<string, any>;
    await expect.poll(async () => (await look()).status, { timeout: 20_000 }).toBe('input_required');
    const { inputRequests } = await look();
    const [approvalId = '', ...more] = Object.keys(inputRequests);
    expect(more).toEqual([]);
    expect(inputRequests[approvalId]).toMatchObject({
      method: 'elicitation/create',
      params: { mode: 'form', message: expect.stringMatching(/^write waits .*: Ship it\?$/) },
    });
    // Who cannot ask has nothing to answer.
    expect((await get(taskId)).status).toBe('working');
    const previous = await connectPrevious(url, key, 'http');
    expect(await previous.client.experimental.tasks.getTask(taskId)).toMatchObject({ status: 'working' });
    await previous.close();

    const answer = (inputResponses: object, by = key) =>
      modernCall(url, by, 'tasks/update', { taskId, inputResponses }, capable);
    const accept = { action: 'accept', content: { decision: 'approve', comment: 'as agreed' } };
    expect((await answer({ [approvalId]: accept }, other)).error?.message).toContain('No such task');
    for (const nothing of [
      { [approvalId]: { action: 'decline' } },
      { [approvalId]: { action: 'accept' } },
      { x: accept },
    ]) {
      expect((await answer(nothing)).error).toBeUndefined();
      expect((await look()).status).toBe('input_required');
    }
    expect((await answer({ [approvalId]: accept })).error).toBeUndefined();
    expect((await answer({ [approvalId]: accept })).error).toBeUndefined();
    expect((await ended(taskId)).status).toBe('completed');
    const listed = structured(await call('call_tool', { name: 'approvals.list', arguments: {} })) as Record<
      string,
      any
    >;
    const decided = listed.items.find((one: { approval_id: string }) => one.approval_id === approvalId);
    expect(decided).toMatchObject({ status: 'approved', comment: 'as agreed' });
  }, 60_000);

  test('waiting for a workflow tells how its run stands', async () => {
    const { client, call: tool, close } = await connectCurrent(url, key, 'http', 'modern');
    const approving = chain(READ, { ...WRITE, approval: true });
    const { workflow_id = '', run_id = '' } = structured(
      await call('execute_pipeline', { pipeline_id: await create(approving) }),
    );
    await stand.until(run_id, (run) => run.approvals.length > 0);
    const told: string[] = [];
    const answer = await tool(
      'wait_for_workflow',
      { workflow_id, timeout_seconds: 1 },
      { onprogress: ({ progress, message }) => told.push(`${progress} ${message}`) },
    );
    expect(answer.structuredContent).toMatchObject({ finished: false, status: 'running' });
    expect(told[0]).toMatch(/^50 running: 1 of 2 stages, write waits for approval [0-9a-f-]+$/);
    await call('cancel_workflow', { workflow_id });
    expect(client.getNegotiatedProtocolVersion()).toBe('2026-07-28');
    await close();
  }, 60_000);

  test('a submitted task is a task of the older era too, and its result fits the schema of its tool', async () => {
    const { client, close } = await connectPrevious(url, key, 'http');
    const { tools } = await client.listTools();
    expect(tools.find(({ name }) => name === 'submit_task')?.outputSchema?.properties).toHaveProperty('task');
    const { task } = await client.request(
      {
        method: 'tools/call',
        params: {
          name: 'submit_task',
          arguments: { type: 'data-ingestion', payload: { rows: [{ a: 1 }] }, executor: 'builtin' },
          task: { ttl: 60_000 },
        },
      },
      CreateTaskResultSchema,
    );
    const result = await client.experimental.tasks.getTaskResult(task.taskId, CallToolResultSchema);
    expect(result).toMatchObject({
      structuredContent: {
        task_id: task.taskId,
        status: 'completed',
        queue_position: null,
        task: { type: 'data-ingestion', status: 'completed', attempt: 1 },
      },
    });
    await close();
  }, 60_000);

  test('a task that waits for an agent says so, and is cancelled with its slot', async () => {
    const { result } = await call('submit_task', { type: 'analysis', executor: 'agent' }, { tasks: true });
    const id = String(result?.taskId);
    expect((await get(id)).statusMessage).toMatch(/^analysis: place 1 of 1 in the queue, 0%$/);
    await modernCall(url, key, 'tasks/cancel', { taskId: id }, { tasks: true });
    expect((await ended(id)).status).toBe('cancelled');
    const caller = { id: 'root', name: 'root', role: 'admin', grants: [], via: 'local', keyId: null } as const;
    expect(await stand.call({ ...caller, grants: [] }, 'tasks.get', { task_id: id })).toMatchObject({
      status: 'cancelled',
    });
  }, 60_000);
});

test('rooms narrow the list to what pipelines need', async () => {
  const { result } = await modernCall(`${url}?rooms=pipelines,tasks,agents`, key, 'tools/list', {});
  const names = ((result?.tools ?? []) as { name: string }[]).map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(['execute_pipeline', 'submit_task', 'list_tasks', 'list_agents']));
  expect(names).not.toContain('search_content');
});
