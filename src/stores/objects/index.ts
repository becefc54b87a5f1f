/** Chooses the object store that the settings name. */
import { join } from 'node:path';
import type { Config } from '../../schema/config.ts';
import { readAuthorities } from '../../schema/tls.ts';
import type { ObjectStore } from '../contract.ts';
import { folderStore } from './folder.ts';

type Settings = Pick<
  Config,
  'dataDir' | 'S3_ENDPOINT' | 'S3_BUCKET' | 'AWS_REGION' | 'AWS_ACCESS_KEY_ID' | 'AWS_SECRET_ACCESS_KEY' | 'TLS_CA'
>;

/** S3 when S3_ENDPOINT is set, else the folder `objects` in the data folder. Contacts no server. */
export async function openObjects(config: Settings): Promise<ObjectStore> {
  const { S3_ENDPOINT: endpoint, S3_BUCKET: bucket } = config;
  if (!endpoint) return folderStore({ root: join(config.dataDir, 'objects'), bucket });
  // Only where it is used: the SDK takes 0.2 s and 30 MB to load.
  const { s3Store } = await import('./s3.ts');
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = config;
  const credentials = accessKeyId && secretAccessKey ? { credentials: { accessKeyId, secretAccessKey } } : {};
  return s3Store({ endpoint, bucket, region: config.AWS_REGION, ca: readAuthorities(config), ...credentials });
}
