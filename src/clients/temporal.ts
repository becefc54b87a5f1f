/** The connection to Temporal, with the payload codec that every process shares. */
import { Client, type ClientInterceptors, Connection, type DataConverter, type TLSConfig } from '@temporalio/client';
import type { Config } from '../schema/config.ts';
import { readAuthorities, readTemporalPair } from '../schema/tls.ts';
import { payloadCodec } from './payload-codec.ts';

/** Compresses, and encrypts when PAYLOAD_KEY is set. Client, workers and the codec endpoint use the same. */
export function dataConverter(config: Config): DataConverter {
  return { payloadCodecs: [payloadCodec(config.PAYLOAD_KEY ?? null)] };
}

export function temporalConnectionOptions(config: Config) {
  if (!config.TEMPORAL_ADDRESS)
    throw new Error('TEMPORAL_ADDRESS is not set: start with `npm start`, or point it at a Temporal');
  return {
    address: config.TEMPORAL_ADDRESS,
    ...(config.TEMPORAL_TLS || config.TEMPORAL_API_KEY || config.TEMPORAL_TLS_CERT ? { tls: temporalTls(config) } : {}),
    ...(config.TEMPORAL_API_KEY ? { apiKey: config.TEMPORAL_API_KEY } : {}),
  };
}

/** TLS_CA goes beside the public authorities; a client certificate is shown where one is set. */
function temporalTls(config: Config): TLSConfig {
  const authorities = readAuthorities(config);
  const pair = readTemporalPair(config);
  return {
    ...(authorities ? { serverRootCACertificate: Buffer.from(authorities.join('\n')) } : {}),
    ...(pair ? { clientCertPair: { crt: Buffer.from(pair.cert), key: Buffer.from(pair.key) } } : {}),
  };
}

/** A lazy connection: a Temporal that is away now does not keep a process from starting. */
export async function connectTemporal(
  config: Config,
  interceptors: ClientInterceptors = {},
): Promise<{ client: Client; close(): Promise<void> }> {
  const connection = Connection.lazy(temporalConnectionOptions(config));
  const client = new Client({
    connection,
    namespace: config.TEMPORAL_NAMESPACE,
    dataConverter: dataConverter(config),
    interceptors,
  });
  return { client, close: () => connection.close() };
}
