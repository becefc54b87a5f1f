/** Starts the real servers of the store tests from binaries on PATH, each on free loopback ports with a folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Running {
  pid: number;
  stop(): Promise<void>;
}

export async function startVersity(): Promise<
  Running & { endpoint: string; accessKeyId: string; secretAccessKey: string }
> {
  const folder = await mkdtemp(join(tmpdir(), 'versitygw-'));
  await mkdir(join(folder, 'data'));
  await mkdir(join(folder, 'meta'));
  const [port] = await freePorts(1);
  const keys = { accessKeyId: 'test-access', secretAccessKey: 'test-secret-key' };
  const args = [
    '--port',
    `127.0.0.1:${port}`,
    '--quiet',
    '--access',
    keys.accessKeyId,
    '--secret',
    keys.secretAccessKey,
  ];
  const endpoint = `http://127.0.0.1:${port}`;
  const server = await start(
    'versitygw',
    [...args, 'posix', '--sidecar', join(folder, 'meta'), join(folder, 'data')],
    {},
    folder,
    () => answers(endpoint),
  );
  return { ...server, endpoint, ...keys };
}

export async function startWeaviate(): Promise<Running & { url: string; grpcPort: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'weaviate-'));
  const [port, grpcPort, gossip, data, raft, raftRpc] = await freePorts(6);
  const url = `http://127.0.0.1:${port}`;
  const env = {
    PERSISTENCE_DATA_PATH: join(folder, 'data'),
    AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED: 'true',
    DEFAULT_VECTORIZER_MODULE: 'none',
    DISABLE_TELEMETRY: 'true',
    GRPC_PORT: `${grpcPort}`,
    CLUSTER_HOSTNAME: 'node1',
    CLUSTER_ADVERTISE_ADDR: '127.0.0.1',
    CLUSTER_BIND_ADDR: '127.0.0.1',
    CLUSTER_GOSSIP_BIND_PORT: `${gossip}`,
    CLUSTER_DATA_BIND_PORT: `${data}`,
    RAFT_PORT: `${raft}`,
    RAFT_INTERNAL_RPC_PORT: `${raftRpc}`,
    RAFT_BOOTSTRAP_EXPECT: '1',
    LOG_LEVEL: 'error',
  };
  const args = ['--host', '127.0.0.1', '--port', `${port}`, '--scheme', 'http'];
  const server = await start('weaviate-server', args, env, folder, async () => {
    return (await fetch(`${url}/v1/.well-known/ready`)).ok;
  });
  return { ...server, url, grpcPort: grpcPort ?? 0 };
}

export async function startRedis(): Promise<Running & { url: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'redis-'));
  const [port] = await freePorts(1);
  const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no'];
  const server = await start('redis-server', args, {}, folder, () => connects(port ?? 0));
  return { ...server, url: `redis://127.0.0.1:${port}` };
}

async function start(
  command: string,
  args: string[],
  env: Record<string, string>,
  folder: string,
  ready: () => Promise<boolean>,
): Promise<Running> {
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => (output = (output + chunk).slice(-4000)));
  await once(child, 'spawn');
  const stop = async () => {
    await end(child);
    await rm(folder, { recursive: true, force: true });
  };
  for (let tries = 0; !(await ready().catch(() => false)); tries += 1) {
    if (child.exitCode !== null || tries > 600) {
      await stop();
      throw new Error(`${command} did not start:\n${output}`);
    }
    await sleep(50);
  }
  return { pid: child.pid ?? 0, stop };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await exited;
  clearTimeout(late);
}

async function answers(url: string): Promise<boolean> {
  await fetch(url);
  return true;
}

async function connects(port: number): Promise<boolean> {
  const { connect } = await import('node:net');
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } finally {
    socket.destroy();
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
