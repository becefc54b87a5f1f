/** Long work as tasks, in both eras, across a restart of everything but the work, and hidden from everybody else. */
import { CallToolResultSchema, CreateTaskResultSchema } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { connectCurrent, connectPrevious } from '../../fixtures/mcp/clients.ts';
import { type House, openHouse } from '../../fixtures/mcp/house.ts';
import { KEYS } from '../../fixtures/mcp/principals.ts';
import { modernCall } from '../../fixtures/mcp/raw.ts';
import { type Served, serveDoor } from '../../fixtures/mcp/serve.ts';

let house: House;
let served: Served;

beforeAll(async () => {
  house = openHouse();
  served = await serveDoor(house.door, { who: KEYS });
});
afterAll(() => served.close());

/** Another process over the same work: what a restart or a second replica looks like to a client. */
async function restart(): Promise<void> {
  const { port } = served;
  await served.close();
  served = await serveDoor(house.reopen(), { who: KEYS, port });
}

const start = (fate: string, tasks = true, key = 'key-of-ada', meta: Record<string, unknown> = {}) =>
  modernCall(
    served.url,
    key,
    'tools/call',
    { name: 'ingest_file', arguments: { filename: 'f.zip', fate } },
    { tasks, meta },
  );
const get = (taskId: string, key = 'key-of-ada', tasks = true) =>
  modernCall(served.url, key, 'tasks/get', { taskId }, { tasks });
const ended = async (taskId: string) => {
  await expect.poll(async () => (await get(taskId)).result?.status, { timeout: 5_000 }).not.toBe('working');
  return (await get(taskId)).result;
};

describe('2026-07-28', () => {
  test('a client that declares tasks gets one, whose id is the workflow id', async () => {
    const { result } = await start('good');
    expect(result).toMatchObject({ resultType: 'task', status: 'working', ttlMs: 3_600_000, pollIntervalMs: 20 });
    const id = String(result?.taskId);
    expect(await ended(id)).toMatchObject({
      resultType: 'complete',
      taskId: id,
      status: 'completed',
      result: { structuredContent: { file_id: 'f.zip' } },
    });
  });

  test('one that does not gets the handle', async () => {
    const { result } = await start('good', false);
    expect(result).toMatchObject({ resultType: 'complete', structuredContent: { workflow_id: expect.any(String) } });
    expect(result).not.toHaveProperty('taskId');
  });

  test('a failed workflow is a completed task with an error, a fault of the machinery a failed one', async () => {
    const bad = await ended(String((await start('bad')).result?.taskId));
    expect(bad).toMatchObject({ status: 'completed', result: { isError: true } });
    expect(JSON.stringify(bad)).toContain('Error wrong_type');
    const broken = await ended(String((await start('broken')).result?.taskId));
    expect(broken).toMatchObject({ status: 'failed', error: { code: -32_603 } });
    expect(broken).not.toHaveProperty('result');
  });

  test('status survives a restart; cancel ends the work', async () => {
    const id = String((await start('endless')).result?.taskId);
    await restart();
    expect((await get(id)).result).toMatchObject({ status: 'working' });
    const cancel = await modernCall(served.url, 'key-of-ada', 'tasks/cancel', { taskId: id }, { tasks: true });
    expect(cancel.result).toMatchObject({ resultType: 'complete' });
    expect((await get(id)).result).toMatchObject({ status: 'cancelled' });
    await expect.poll(() => house.seen.aborted, { timeout: 5_000 }).toContain('f.zip');
  });

  test('nobody else sees it, not even an admin: it looks like a task that never was', async () => {
    const id = String((await start('endless')).result?.taskId);
    const never = await get('no-such-task');
    for (const key of ['key-of-ben', 'key-of-root']) {
      for (const method of ['tasks/get', 'tasks/cancel', 'tasks/update']) {
        const answer = await modernCall(served.url, key, method, { taskId: id, inputResponses: {} }, { tasks: true });
        expect(answer.error).toEqual(never.error);
      }
    }
    expect((await get(id)).result).toMatchObject({ status: 'working' });
    await modernCall(served.url, 'key-of-ada', 'tasks/cancel', { taskId: id }, { tasks: true });
  });

  test('the task methods want the extension declared', async () => {
    expect((await get('x', 'key-of-ada', false)).error).toMatchObject({
      code: -32_021,
      data: { requiredCapabilities: { extensions: { 'io.modelcontextprotocol/tasks': {} } } },
    });
  });

  test('call_tool starts tasks too, and an idempotency key reaches the operation', async () => {
    const params = { name: 'call_tool', arguments: { name: 'ingest_file', arguments: { filename: 'g.zip' } } };
    const { result } = await modernCall(served.url, 'key-of-ada', 'tools/call', params, {
      tasks: true,
      meta: { 'ostinato/idempotency_key': 'once' },
    });
    expect(result).toMatchObject({ resultType: 'task' });
    expect(house.seen.idempotencyKeys.at(-1)).toBe('once');
  });

  test("the current SDK's client follows a task by its id", async () => {
    const id = String((await start('good')).result?.taskId);
    const { client, close } = await connectCurrent(served.url, 'key-of-ada', 'http', 'modern', {
      extensions: { 'io.modelcontextprotocol/tasks': {} },
    });
    const State = z.looseObject({ taskId: z.string(), status: z.string() });
    const answer = await client.request({ method: 'tasks/get', params: { taskId: id } }, State);
    expect(answer.taskId).toBe(id);
    await close();
  });
});

describe('2025-11-25', () => {
  test('a call that asks for a task gets one, to be listed, followed, awaited', async () => {
    const { client, close } = await connectPrevious(served.url, 'key-of-ada', 'http');
    const created = await client.request(
      {
        method: 'tools/call',
        params: { name: 'ingest_file', arguments: { filename: 'old.zip' }, task: { ttl: 60_000 } },
      },
      CreateTaskResultSchema,
    );
    const { taskId } = created.task;
    expect(created.task).toMatchObject({ status: 'working', ttl: 3_600_000, pollInterval: 20 });
    await restart();
    const result = await client.experimental.tasks.getTaskResult(taskId, CallToolResultSchema);
    expect(result).toMatchObject({
      structuredContent: { file_id: 'old.zip' },
      _meta: { 'io.modelcontextprotocol/related-task': { taskId } },
    });
    expect(await client.experimental.tasks.getTask(taskId)).toMatchObject({ taskId, status: 'completed' });
    const page = await client.experimental.tasks.listTasks();
    expect(page.tasks.map((task) => task.taskId)).toContain(taskId);
    expect(page.nextCursor).toEqual(expect.any(String));
    await close();
  });

  test('cancel answers with the cancelled task; another caller learns nothing', async () => {
    const mine = await connectPrevious(served.url, 'key-of-ada', 'http');
    const other = await connectPrevious(served.url, 'key-of-ben', 'http');
    const { task } = await mine.client.request(
      {
        method: 'tools/call',
        params: { name: 'ingest_file', arguments: { filename: 'x', fate: 'endless' }, task: {} },
      },
      CreateTaskResultSchema,
    );
    await expect(other.client.experimental.tasks.getTask(task.taskId)).rejects.toThrow('No such task');
    await expect(other.client.experimental.tasks.cancelTask(task.taskId)).rejects.toThrow('No such task');
    expect((await other.client.experimental.tasks.listTasks()).tasks).toEqual([]);
    expect(await mine.client.experimental.tasks.cancelTask(task.taskId)).toMatchObject({ status: 'cancelled' });
    await mine.close();
    await other.close();
  });

  test('a tool that never runs as a task says so', async () => {
    const { client, close } = await connectPrevious(served.url, 'key-of-ada', 'http');
    const call = client.request(
      { method: 'tools/call', params: { name: 'search_content', arguments: { query: 'q' }, task: {} } },
      CreateTaskResultSchema,
    );
    await expect(call).rejects.toMatchObject({ code: -32_601 });
    await close();
  });
});
