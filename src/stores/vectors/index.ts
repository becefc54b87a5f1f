/** Chooses the vector index that the settings name. */
import { join } from 'node:path';
import type { Config } from '../../schema/config.ts';
import { trustInProcess } from '../../schema/tls.ts';
import type { VectorIndex } from '../contract.ts';

type Settings = Pick<Config, 'dataDir' | 'WEAVIATE_URL' | 'WEAVIATE_GRPC_PORT' | 'WEAVIATE_API_KEY' | 'TLS_CA'>;

/**
 * Weaviate when WEAVIATE_URL is set, else LanceDB in the folder `vectors` of the data folder.
 * `writable` is for the one process that writes the embedded index; every other one reads.
 */
export async function openVectors(
  config: Settings,
  options: { dimensions: number; writable: boolean },
): Promise<VectorIndex> {
  const { WEAVIATE_URL: url } = config;
  // Each loads 50 MB and more; only the one that is used.
  if (!url) {
    const { openLance } = await import('./lance.ts');
    return openLance({ folder: join(config.dataDir, 'vectors'), ...options });
  }
  // Its client takes no authorities, neither for HTTP nor for gRPC.
  if (new URL(url).protocol === 'https:') trustInProcess(config);
  const { openWeaviate } = await import('./weaviate.ts');
  const { WEAVIATE_GRPC_PORT: grpcPort, WEAVIATE_API_KEY: apiKey } = config;
  return openWeaviate({ url, grpcPort, apiKey, dimensions: options.dimensions });
}
