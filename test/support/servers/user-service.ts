/** A user service as a process of its own, that can be late, wrong, busy or cut off when a test says so. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../../src/local/ports.ts';
import { answers, type RunningServer, startServer } from './process.ts';

/** How it answers `/api/auth/verify`: `normal` looks the token up among those that `say` gave it, `held` only later. */
export type Mode =
  | 'normal'
  | 'post-only'
  | 'held'
  | 'silent'
  | 'html'
  | 'huge'
  | 'cut'
  | 'busy'
  | 'error'
  | 'redirect'
  | 'list';

export interface UserService extends RunningServer {
  url: string;
  mode(mode: Mode): Promise<void>;
  /** What it says of a token from here on; null: nothing, with 401. */
  say(token: string, answer: unknown): Promise<void>;
  /** How often it was asked about this token. */
  asked(token: string): Promise<number>;
}

export async function startUserService(): Promise<UserService> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const server = await startServer('user-service', (folder) => ({
    name: 'user-service',
    command: process.execPath,
    args: [fileURLToPath(import.meta.url), String(port)],
    cwd: folder,
    readyTimeoutMs: 20_000,
    stopTimeoutMs: 2_000,
    isReady: () => answers(`${url}/control`),
  }));
  const control = async (body: object) => {
    const response = await fetch(`${url}/control`, { method: 'POST', body: JSON.stringify(body) });
    return (await response.json()) as { asked: number };
  };
  return {
    ...server,
    url,
    mode: async (mode) => void (await control({ mode })),
    say: async (token, answer) => void (await control({ token, answer })),
    asked: async (token) => (await control({ token })).asked,
  };
}

function serve(port: number): void {
  const answersByToken = new Map<string, unknown>();
  const asked = new Map<string, number>();
  let mode: Mode = 'normal';
  /** Answers that wait for another mode. */
  const held: (() => void)[] = [];

  async function control(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const said = JSON.parse(Buffer.concat(chunks).toString() || '{}') as {
      mode?: Mode;
      token?: string;
      answer?: unknown;
    };
    mode = said.mode ?? mode;
    if (mode !== 'held') for (const answer of held.splice(0)) answer();
    if (said.token !== undefined && 'answer' in said) answersByToken.set(said.token, said.answer);
    response.end(JSON.stringify({ asked: asked.get(said.token ?? '') ?? 0 }));
  }

  function lookUp(token: string, response: ServerResponse): void {
    const answer = answersByToken.get(token) ?? null;
    response.writeHead(answer === null ? 401 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer ?? { error: 'unknown' }));
  }

  function verify(request: IncomingMessage, response: ServerResponse): void {
    const token = (request.headers.authorization ?? '').replace(/^Bearer /, '');
    asked.set(token, (asked.get(token) ?? 0) + 1);
    behave(request, response, token);
  }

  function behave(request: IncomingMessage, response: ServerResponse, token: string): unknown {
    const full = JSON.stringify({ user: { id: 1 }, roles: ['admin'] });
    if (mode === 'post-only' && request.method === 'GET') return response.writeHead(405).end();
    if (mode === 'held') return held.push(() => lookUp(token, response));
    if (mode === 'silent') return undefined;
    if (mode === 'html') return response.end('<h1>admin</h1>');
    if (mode === 'list') return response.end(`[${full}]`);
    if (mode === 'huge') return response.end(`${full.slice(0, -1)},"x":"${'x'.repeat(1024 * 1024)}"}`);
    if (mode === 'cut') {
      response.writeHead(200, { 'content-length': full.length + 10 });
      return response.write(full, () => response.destroy());
    }
    if (mode === 'busy') return response.writeHead(429, { 'retry-after': '7' }).end();
    if (mode === 'error') return response.writeHead(500).end(full);
    if (mode === 'redirect') return response.writeHead(302, { location: '/elsewhere' }).end();
    return lookUp(token, response);
  }

  createServer((request, response) => {
    if (request.url === '/control') return void control(request, response);
    if (request.url === '/api/auth/verify') return verify(request, response);
    // Where the redirect leads: whoever follows it gets in.
    if (request.url === '/elsewhere') return void response.end('{"user":{"id":1},"roles":["admin"]}');
    return void response.writeHead(404).end();
  }).listen(port, '127.0.0.1');
}

if (import.meta.main) serve(Number(process.argv[2]));
