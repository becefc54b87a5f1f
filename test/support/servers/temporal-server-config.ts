/** Configuration of a Temporal server whose four services share one process and one Postgres. */

export interface ServerConfigOptions {
  postgresUrl: string;
  names: { main: string; visibility: string };
  /** Ten free ports: gRPC and membership of four services, the frontend's HTTP, metrics. */
  ports: readonly number[];
  /** File of dynamic settings. */
  dynamic: string;
  /** Its frontend then speaks TLS and asks clients for a certificate of the same authority. */
  tls?: ServerTls | undefined;
}

/** PEM files. */
export interface ServerTls {
  ca: string;
  cert: string;
  key: string;
}

/** Follows the vendor's `config/development-postgres12.yaml`; JSON is YAML too. */
export function serverConfig({ postgresUrl, names, ports, dynamic, tls }: ServerConfigOptions): object {
  const url = new URL(postgresUrl);
  const store = (databaseName: string, maxConns: number) => ({
    sql: {
      pluginName: 'postgres12',
      databaseName,
      connectAddr: url.host,
      connectProtocol: 'tcp',
      user: url.username,
      password: decodeURIComponent(url.password),
      maxConns,
      maxIdleConns: maxConns,
      maxConnLifetime: '1h',
    },
  });
  const rpc = (index: number) => ({
    rpc: { grpcPort: ports[index * 2], membershipPort: ports[index * 2 + 1], bindOnIP: '127.0.0.1' },
  });
  const frontend = rpc(0);
  const trust = { serverName: 'localhost', rootCaFiles: [tls?.ca] };
  const files = { certFile: tls?.cert, keyFile: tls?.key };
  const secure = {
    frontend: { server: { ...files, requireClientAuth: true, clientCaFiles: [tls?.ca] }, client: trust },
    systemWorker: { ...files, client: trust },
  };
  return {
    log: { stdout: true, level: 'warn' },
    persistence: {
      defaultStore: 'main',
      visibilityStore: 'visibility',
      numHistoryShards: 4,
      datastores: { main: store(names.main, 20), visibility: store(names.visibility, 5) },
    },
    global: {
      ...(tls ? { tls: secure } : {}),
      membership: { maxJoinDuration: '30s', broadcastAddress: '127.0.0.1' },
      metrics: { prometheus: { framework: 'tally', timerType: 'histogram', listenAddress: `127.0.0.1:${ports[9]}` } },
    },
    services: {
      frontend: { rpc: { ...frontend.rpc, httpPort: ports[8] } },
      matching: rpc(1),
      history: rpc(2),
      worker: rpc(3),
    },
    clusterMetadata: {
      enableGlobalNamespace: false,
      failoverVersionIncrement: 10,
      masterClusterName: 'active',
      currentClusterName: 'active',
      clusterInformation: {
        active: {
          enabled: true,
          initialFailoverVersion: 1,
          rpcName: 'frontend',
          rpcAddress: `127.0.0.1:${ports[0]}`,
        },
      },
    },
    dcRedirectionPolicy: { policy: 'noop' },
    dynamicConfigClient: { filepath: dynamic, pollInterval: '10s' },
  };
}
