/** A real Redis that keeps nothing on disk. */
import { REDIS } from '../../../src/local/components/catalogue.ts';
import { accepts, freePort } from '../../../src/local/ports.ts';
import { requirePath } from './available.ts';
import { type RunningServer, startServer } from './process.ts';

export interface RedisServer extends RunningServer {
  url: string;
}

/** With certificate files it speaks TLS and nothing else. */
export async function startRedis(tls?: { cert: string; key: string; ca: string }): Promise<RedisServer> {
  const command = await requirePath(REDIS);
  const port = await freePort();
  const server = await startServer('redis', (folder) => ({
    name: 'redis',
    command,
    args: [
      ...(tls ? secure(port, tls) : ['--port', String(port)]),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      'no',
      '--dir',
      folder,
    ],
    cwd: folder,
    stopTimeoutMs: 5_000,
    readyTimeoutMs: 20_000,
    isReady: () => accepts(port),
  }));
  return { ...server, url: `${tls ? 'rediss' : 'redis'}://127.0.0.1:${port}` };
}

function secure(port: number, tls: { cert: string; key: string; ca: string }): string[] {
  const files = ['--tls-cert-file', tls.cert, '--tls-key-file', tls.key, '--tls-ca-cert-file', tls.ca];
  return ['--port', '0', '--tls-port', String(port), ...files, '--tls-auth-clients', 'no'];
}
