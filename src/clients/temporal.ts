/** The connection to Temporal, with the payload codec that every process shares. */
import { Client, type ClientInterceptors, Connection, type DataConverter } from '@temporalio/client';
import type { Config } from '../schema/config.ts';
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
    ...(config.TEMPORAL_TLS || config.TEMPORAL_API_KEY ? { tls: true as const } : {}),
    ...(config.TEMPORAL_API_KEY ? { apiKey: config.TEMPORAL_API_KEY } : {}),
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
