/** A real S3 server over a temporary folder. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { VERSITYGW } from '../../../src/local/components/catalogue.ts';
import { accepts, freePort } from '../../../src/local/ports.ts';
import { requirePath } from './available.ts';
import { answers, type RunningServer, startServer } from './process.ts';

export interface S3Server extends RunningServer {
  url: string;
  region: string;
  accessKeyId: string;
  secretAccessKey: string;
}

/** With certificate files it speaks https. */
export async function startVersitygw(tls?: { cert: string; key: string }): Promise<S3Server> {
  const command = await requirePath(VERSITYGW);
  const port = await freePort();
  const url = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`;
  const access = { accessKeyId: 'test-access', secretAccessKey: 'test-secret-of-the-tests', region: 'us-east-1' };
  const server = await startServer('versitygw', (folder) => {
    const objects = join(folder, 'objects');
    mkdirSync(objects);
    return {
      name: 'versitygw',
      command,
      args: [
        ...['--port', `127.0.0.1:${port}`, '--health', '/health', '--quiet'],
        ...(tls ? ['--cert', tls.cert, '--key', tls.key] : []),
        ...['posix', objects],
      ],
      cwd: folder,
      env: {
        ROOT_ACCESS_KEY_ID: access.accessKeyId,
        ROOT_SECRET_ACCESS_KEY: access.secretAccessKey,
        VGW_REGION: access.region,
      },
      stopTimeoutMs: 5_000,
      readyTimeoutMs: 30_000,
      // Whoever asks over TLS trusts it by other means than a plain fetch.
      isReady: () => (tls ? accepts(port) : answers(`${url}/health`)),
    };
  });
  return { ...server, url, ...access };
}
