/** A real Redis that keeps nothing on disk. */
import { REDIS } from '../../../src/local/components/catalogue.ts';
import { accepts, freePort } from '../../../src/local/ports.ts';
import { requirePath } from './available.ts';
import { type RunningServer, startServer } from './process.ts';

export interface RedisServer extends RunningServer {
  url: string;
}

export async function startRedis(): Promise<RedisServer> {
  const command = await requirePath(REDIS);
  const port = await freePort();
  const server = await startServer('redis', (folder) => ({
    name: 'redis',
    command,
    args: ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder],
    cwd: folder,
    stopTimeoutMs: 5_000,
    readyTimeoutMs: 20_000,
    isReady: () => accepts(port),
  }));
  return { ...server, url: `redis://127.0.0.1:${port}` };
}
