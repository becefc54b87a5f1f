/** A real Weaviate on free ports. */
import { join } from 'node:path';
import { WEAVIATE } from '../../../src/local/components/catalogue.ts';
import { accepts, freePort } from '../../../src/local/ports.ts';
import { requirePath } from './available.ts';
import { answers, type RunningServer, startServer } from './process.ts';

export interface WeaviateServer extends RunningServer {
  url: string;
  grpcPort: number;
}

/** One node without modules and without sign-in, its data in a temporary folder; with certificate files under TLS. */
export async function startWeaviate(tls?: { cert: string; key: string }): Promise<WeaviateServer> {
  const command = await requirePath(WEAVIATE);
  const [port, grpcPort, gossip, data, raft, raftRpc] = await Promise.all(Array.from({ length: 6 }, () => freePort()));
  const url = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`;
  const server = await startServer('weaviate', (folder) => ({
    name: 'weaviate',
    command,
    args: [
      ...(tls ? ['--scheme', 'https', '--tls-host', '127.0.0.1', '--tls-port', String(port)] : []),
      ...(tls ? ['--tls-certificate', tls.cert, '--tls-key', tls.key] : []),
      ...(tls ? [] : ['--scheme', 'http', '--host', '127.0.0.1', '--port', String(port)]),
      ...['--graceful-timeout', '1s'],
    ],
    cwd: folder,
    env: {
      PERSISTENCE_DATA_PATH: join(folder, 'data'),
      AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED: 'true',
      DEFAULT_VECTORIZER_MODULE: 'none',
      ENABLE_MODULES: '',
      DISABLE_TELEMETRY: 'true',
      GRPC_PORT: String(grpcPort),
      ...(tls ? { GRPC_CERT_FILE: tls.cert, GRPC_KEY_FILE: tls.key } : {}),
      CLUSTER_HOSTNAME: 'node1',
      CLUSTER_ADVERTISE_ADDR: '127.0.0.1',
      CLUSTER_GOSSIP_BIND_PORT: String(gossip),
      CLUSTER_DATA_BIND_PORT: String(data),
      RAFT_PORT: String(raft),
      RAFT_INTERNAL_RPC_PORT: String(raftRpc),
      RAFT_BOOTSTRAP_EXPECT: '1',
      LOG_LEVEL: 'warning',
      LIMIT_RESOURCES: 'true',
    },
    stopSignal: 'SIGTERM',
    stopTimeoutMs: 3_000,
    readyTimeoutMs: 60_000,
    // Whoever asks over TLS trusts it by other means than a plain fetch.
    isReady: () => (tls ? accepts(port as number) : answers(`${url}/v1/.well-known/ready`)),
  }));
  return { ...server, url, grpcPort: grpcPort as number };
}
