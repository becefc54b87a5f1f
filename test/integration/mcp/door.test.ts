/** The door as HTTP sees it: hosts, rooms, statelessness, subscriptions, and the bridge when the API goes away. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectCurrent, connectPrevious } from '../../fixtures/mcp/clients.ts';
import { CONTEXT_URI, type House, openHouse } from '../../fixtures/mcp/house.ts';
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

async function restart(): Promise<void> {
  const { port } = served;
  await served.close();
  served = await serveDoor(house.reopen(), { who: KEYS, port });
}

/** The status for a request with these headers; `fetch` would not let Host be set. */
function statusWith(headers: Record<string, string>): Promise<number> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' });
  return new Promise((resolve, reject) => {
    const sent = httpRequest(served.url, {
      method: 'POST',
      agent: false,
      headers: {
        authorization: 'Bearer key-of-ada',
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...headers,
      },
    });
    sent.on('response', (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

describe('hosts', () => {
  test.each([
    ['loopback', { host: 'localhost:8080' }, 200],
    ['an allowed name', { host: 'door.example' }, 200],
    ['a foreign host', { host: 'evil.example' }, 403],
    ['a foreign origin', { origin: 'https://evil.example' }, 403],
    ['an opaque origin', { origin: 'null' }, 403],
    ['a page of an allowed host', { origin: 'https://door.example' }, 200],
  ])('%s', async (_name, headers, status) => {
    expect(await statusWith(headers)).toBe(status);
  });
});

describe('what is listed', () => {
  const list = async (query: string, key = 'key-of-ada') => {
    const { result, error, status } = await modernCall(served.url + query, key, 'tools/list', {});
    return { names: (result?.tools as { name: string }[] | undefined)?.map((tool) => tool.name), error, status };
  };

  test('rooms narrow and widen', async () => {
    const always = ['list_available_tools', 'call_tool'];
    expect((await list('?rooms=query')).names).toEqual(['search_content', ...always]);
    expect((await list('?rooms=ingestion,query')).names).toEqual([
      'ingest_file',
      'search_content',
      'rename_file',
      ...always,
    ]);
  });

  test('an unknown room is refused with the valid ones', async () => {
    const { status, error } = await list('?rooms=cellar');
    expect(status).toBe(400);
    expect(error?.message).toMatch(/cellar.*access, ingestion, query, workflows/);
  });

  test('only what the caller may use', async () => {
    expect((await list('', 'key-of-vera')).names).not.toContain('ingest_file');
    const call = { name: 'call_tool', arguments: { name: 'keys.list' } };
    const asAda = await modernCall(served.url, 'key-of-ada', 'tools/call', call);
    expect(JSON.stringify(asAda.result)).toContain('Error forbidden');
    const asRoot = await modernCall(served.url, 'key-of-root', 'tools/call', call);
    expect(asRoot.result).toMatchObject({ content: [{ text: '{"keys":["one"]}' }] });
  });
});

describe('what prompts give', () => {
  const get = async (key: string, name: string, args: object) =>
    modernCall(served.url, key, 'prompts/get', { name, arguments: args });

  test('only those that the caller could act on', async () => {
    const { result } = await modernCall(served.url, 'key-of-vera', 'prompts/list', {});
    expect(result?.prompts).toMatchObject([{ name: 'explain_run' }]);
    expect((await get('key-of-vera', 'draft_pipeline', { goal: 'x' })).error?.message).toBe('No such prompt');
  });

  test("nobody else's run, which looks like one that never was", async () => {
    const others = await get('key-of-ben', 'explain_run', { run_id: 'run-1' });
    expect(others.error).toEqual((await get('key-of-ben', 'explain_run', { run_id: 'never' })).error);
    expect(others.error?.message).toBe('No such run');
  });

  test('no argument without an end', async () => {
    const long = await get('key-of-ada', 'draft_pipeline', { goal: 'x'.repeat(4_001) });
    expect(long.error?.message).toContain('longer than 4000');
  });
});

describe('messages that are none', () => {
  const post = (body: string, type = 'application/json') =>
    fetch(served.url, {
      method: 'POST',
      headers: { authorization: 'Bearer key-of-ada', 'content-type': type, connection: 'close' },
      body,
    });
  test.each([
    ['not JSON', '{"jsonrpc":', 'application/json', 400],
    ['another type', 'jsonrpc', 'text/plain', 415],
    ['too large', JSON.stringify({ a: 'x'.repeat(5 * 1024 * 1024) }), 'application/json', 413],
  ])('%s', async (_name, body, type, status) => {
    const response = await post(body, type);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ error: { code: expect.any(Number) } });
  });
});

describe('no state between requests', () => {
  test('a 2025 client goes on after a restart with the session id it was given', async () => {
    const { client, close } = await connectPrevious(served.url, 'key-of-ada', 'http');
    expect((client.transport as { sessionId?: string }).sessionId).toEqual(expect.any(String));
    await restart();
    // The pooled connection of before may be closed under the first try.
    const answer = await client.listTools().catch(() => client.listTools());
    expect(answer.tools.length).toBeGreaterThan(3);
    await close();
  });

  test("one caller's cancellation does not reach another's call with the same ids", async () => {
    const ada = await connectPrevious(served.url, 'key-of-ada', 'http');
    const before = house.seen.aborted.length;
    const running = ada.call('wait_for_workflow', { workflow_id: 'steady', steps: 30 });
    const session = (ada.client.transport as { sessionId?: string }).sessionId ?? '';
    for (let requestId = 0; requestId < 10; requestId++) {
      await fetch(served.url, {
        method: 'POST',
        headers: {
          authorization: 'Bearer key-of-ben',
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          'mcp-session-id': session,
          'mcp-protocol-version': '2025-11-25',
          connection: 'close',
        },
        body: JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId } }),
      });
    }
    expect((await running).structuredContent).toEqual({ status: 'completed' });
    expect(house.seen.aborted).toHaveLength(before);
    await ada.close();
  });
});

describe('subscriptions of 2026-07-28', () => {
  test.each(['http', 'stdio'] as const)('a change of the context document arrives over %s', async (wire) => {
    const { client, close } = await connectCurrent(served.url, 'key-of-ada', wire, 'modern');
    const changed: string[] = [];
    client.setNotificationHandler('notifications/resources/updated', ({ params }) => void changed.push(params.uri));
    const subscription = await client.listen({ resourceSubscriptions: [CONTEXT_URI] });
    expect(subscription.honoredFilter).toEqual({ resourceSubscriptions: [CONTEXT_URI] });
    house.change();
    await expect.poll(() => changed).toEqual([CONTEXT_URI]);
    await subscription.close();
    await close();
  });
});

describe('the stdio bridge', () => {
  const program = fileURLToPath(new URL('../../fixtures/mcp/stdio-bridge.ts', import.meta.url));

  async function run(url: string, key: string) {
    const child = spawn(process.execPath, [program, url, key], { stdio: ['pipe', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk) => (out += chunk));
    child.stderr.on('data', (chunk) => (err += chunk));
    const [code] = await once(child, 'exit');
    return { code, out, err };
  }

  test('says in one line that the API is away, and exits 69 with nothing on stdout', async () => {
    const { code, out, err } = await run('http://127.0.0.1:9/mcp', 'key-of-ada');
    expect({ code, out }).toEqual({ code: 69, out: '' });
    expect(err.trim().split('\n')).toHaveLength(1);
    expect(err).toContain('http://127.0.0.1:9/mcp cannot be reached');
  });

  test('exits 77 when the key is refused', async () => {
    const { code, out, err } = await run(served.url, 'wrong');
    expect({ code, out }).toEqual({ code: 77, out: '' });
    expect(err).toContain('refuses the API key');
  });

  test.each(['modern', 'legacy'] as const)('a restart of the API goes unnoticed (%s)', async (era) => {
    const { client, call, close } = await connectCurrent(served.url, 'key-of-ada', 'stdio', era);
    const changed: string[] = [];
    if (era === 'modern') {
      client.setNotificationHandler('notifications/resources/updated', ({ params }) => void changed.push(params.uri));
      client.setNotificationHandler('notifications/resources/list_changed', () => void changed.push('list'));
      await client.listen({ resourceSubscriptions: [CONTEXT_URI], resourcesListChanged: true });
    }
    const { port } = served;
    await served.close();
    const waiting = call('search_content', { query: 'while away' });
    await new Promise((resolve) => setTimeout(resolve, 300));
    served = await serveDoor(house.reopen(), { who: KEYS, port });
    expect((await waiting).structuredContent).toMatchObject({ result_count: 1 });
    if (era === 'modern') {
      // One for the gap, in which a change may have passed unseen.
      await expect.poll(() => changed, { timeout: 5_000 }).toEqual([CONTEXT_URI, 'list']);
      house.change();
      await expect.poll(() => changed, { timeout: 5_000 }).toEqual([CONTEXT_URI, 'list', CONTEXT_URI]);
    }
    await close();
  });
});
