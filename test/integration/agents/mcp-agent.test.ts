/** Agents that are MCP servers of either generation, as processes of their own, and things that only claim to be. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callTool, type ToolCallOptions } from '../../../src/clients/agent-mcp.ts';
import { createEgress, type Egress } from '../../../src/clients/egress.ts';
import type { JsonObject } from '../../../src/schema/json.ts';

const SERVER = fileURLToPath(new URL('../../fixtures/mcp/agent-server.ts', import.meta.url));

let egress: Egress;
beforeAll(() => {
  egress = createEgress({ allow: ['127.0.0.1'], maxBytes: 1e9, timeoutMs: 30_000 });
});
afterAll(() => egress.close());

const call = (
  url: string,
  tool: string,
  args: JsonObject = {},
  options: Partial<ToolCallOptions> = {},
  by: Egress = egress,
) => callTool(by, { url, headers: {} }, { tool, arguments: args }, { timeoutMs: 10_000, ...options });

describe.each(['modern', 'legacy'])('a %s server', (generation) => {
  let child: ChildProcess;
  let url = '';
  beforeAll(async () => {
    child = spawn(process.execPath, [SERVER, generation], { stdio: ['ignore', 'pipe', 'inherit'] });
    [url] = (await once(createInterface({ input: child.stdout as NodeJS.ReadableStream }), 'line')) as [string];
  });
  afterAll(async () => {
    child.kill('SIGKILL');
    await once(child, 'exit');
  });

  test('does the tool and gives what it said', async () => {
    expect(await call(url, 'count_words', { text: 'one two three' })).toEqual({ words: 3 });
  });

  test('tells its progress on the way', async () => {
    const told: [number | null, string][] = [];
    const result = await call(
      url,
      'steps',
      { steps: 4, pause_ms: 20 },
      { onProgress: (share, message) => void told.push([share, message]) },
    );
    expect(result).toEqual({ content: [{ type: 'text', text: 'done' }] });
    expect(told).toEqual([
      [0.25, 'step 1'],
      [0.5, 'step 2'],
      [0.75, 'step 3'],
      [1, 'step 4'],
    ]);
  });

  test('failures are told in its words', async () => {
    await expect(call(url, 'broken')).rejects.toMatchObject({
      code: 'agent_failed',
      message: 'broken failed: no such table',
    });
    await expect(call(url, 'nothing_like_it')).rejects.toMatchObject({ code: 'agent_failed' });
    await expect(call(url, 'count_words', { text: 7 })).rejects.toMatchObject({ code: 'agent_failed' });
  });

  test('a tool that takes too long, or that nobody waits for any more, is given up', async () => {
    const long = { steps: 100, pause_ms: 100 };
    await expect(call(url, 'steps', long, { timeoutMs: 500 })).rejects.toMatchObject({ code: 'agent_unreachable' });
    const controller = new AbortController();
    const stopped = call(url, 'steps', long, {
      signal: controller.signal,
      onProgress: () => controller.abort(new Error('cancelled')),
    });
    await expect(stopped).rejects.toThrow('cancelled');
  });

  test('is not called where addresses like its own are not allowed', async () => {
    const closed = createEgress({ allow: [], maxBytes: 1e6, timeoutMs: 1_000 });
    await expect(call(url, 'count_words', { text: 'a' }, {}, closed)).rejects.toMatchObject({ code: 'egress_denied' });
  });

  // Servers of the new generation have none.
  if (generation === 'legacy') {
    test('no session is left behind', async () => {
      await expect.poll(async () => (await fetch(new URL('/sessions', url))).text()).toBe('0');
    });
  }
});

describe('what only claims to be an MCP server', () => {
  let server: Server;
  let listener: RequestListener = () => undefined;
  beforeAll(async () => {
    server = createServer((request, response) => {
      request.resume();
      listener(request, response);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  const json = { 'content-type': 'application/json' };
  type Hostile = [string, 'agent_unreachable' | 'agent_failed' | 'egress_denied', RequestListener];
  const hostile: Hostile[] = [
    [
      'answers 401',
      'agent_failed',
      (_request, response) => response.writeHead(401, { 'www-authenticate': 'Bearer' }).end(),
    ],
    ['answers 404', 'agent_failed', (_request, response) => response.writeHead(404).end()],
    ['answers 503', 'agent_unreachable', (_request, response) => response.writeHead(503).end('{"detail": "starting"}')],
    [
      'answers 500 with much',
      'agent_failed',
      (_request, response) => response.writeHead(500).end(Buffer.alloc(10_000_000, 'x')),
    ],
    [
      'sends HTML',
      'agent_failed',
      (_request, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
    ],
    ['sends broken JSON', 'agent_failed', (_request, response) => response.writeHead(200, json).end('{"jsonrpc":')],
    [
      'sends 10 MB',
      'agent_failed',
      (_request, response) => response.writeHead(200, json).end(Buffer.alloc(10_000_000, ' ')),
    ],
    ['never answers', 'agent_unreachable', () => undefined],
    [
      'opens a stream and says nothing',
      'agent_unreachable',
      (_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
      },
    ],
    [
      'drips',
      'agent_unreachable',
      (_request, response) => {
        response.writeHead(200, json);
        const timer = setInterval(() => response.write(' '), 20);
        response.on('close', () => clearInterval(timer));
      },
    ],
    [
      'hangs up in the middle',
      'agent_unreachable',
      (request, response) => {
        response.writeHead(200, { ...json, 'content-length': '100' });
        response.write('{"jsonrpc"', () => request.socket.destroy());
      },
    ],
    ['hangs up', 'agent_unreachable', (request) => request.socket.destroy()],
    [
      'redirects',
      'egress_denied',
      (_request, response) => response.writeHead(307, { location: 'http://169.254.169.254/' }).end(),
    ],
  ];
  test.each(hostile)('%s: %s', async (name, code, behave) => {
    listener = behave;
    const { port } = server.address() as AddressInfo;
    const refused = call(`http://127.0.0.1:${port}/mcp`, 'count_words', {}, { timeoutMs: 700 });
    await expect(refused).rejects.toMatchObject({
      name: 'Failure',
      code,
      ...(name === 'answers 401' ? { cause: { status: 401 } } : {}),
    });
  });
});
