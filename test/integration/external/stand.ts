/** Five real servers, and what they hold, read past the system. */
import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import pg from 'pg';
import {
  startRedis,
  startSystemPostgres,
  startTemporalServer,
  startVersitygw,
  startWeaviate,
} from '../../support/servers/index.ts';

export const BUCKET = 'external-path';

type Stopping = { stop(): Promise<void> };

export interface Servers {
  /** What points the system at them. */
  environment: Record<string, string>;
  temporalAddress: string;
  /** Keys of all objects in the bucket. */
  objects(): Promise<string[]>;
  /** Record id and content hash of every row, sorted. */
  rows(): Promise<string[]>;
  /** Record id and content hash of every vector, sorted. */
  vectors(): Promise<string[]>;
  stop(): Promise<void>;
}

/** Postgres first, since the Temporal server lives in it; its namespace is not made yet. */
export async function startServers(): Promise<Servers> {
  const started: Stopping[] = [];
  const stop = async () => {
    for (const server of started.reverse()) await server.stop();
  };
  const keep = async <T extends Stopping>(starting: Promise<T>): Promise<T> => {
    const server = await starting;
    started.push(server);
    return server;
  };
  try {
    const postgres = await keep(startSystemPostgres({ max_connections: '200' }));
    const temporal = await keep(startTemporalServer(postgres.url, { bare: true }));
    const weaviate = await keep(startWeaviate());
    const s3 = await keep(startVersitygw());
    const redis = await keep(startRedis());
    const client = new S3Client({ endpoint: s3.url, region: s3.region, forcePathStyle: true, credentials: s3 });
    started.push({ stop: async () => client.destroy() });
    return {
      environment: {
        DATABASE_URL: postgres.url,
        DATABASE_POOL: '5',
        TEMPORAL_ADDRESS: temporal.address,
        TEMPORAL_NAMESPACE: 'external-path',
        RETENTION_DAYS: '12',
        WEAVIATE_URL: weaviate.url,
        WEAVIATE_GRPC_PORT: String(weaviate.grpcPort),
        S3_ENDPOINT: s3.url,
        S3_BUCKET: BUCKET,
        AWS_REGION: s3.region,
        AWS_ACCESS_KEY_ID: s3.accessKeyId,
        AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
        REDIS_URL: redis.url,
      },
      temporalAddress: temporal.address,
      objects: () => listKeys(client),
      rows: () => readRows(postgres.url),
      vectors: () => readVectors(weaviate.url),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function listKeys(client: S3Client): Promise<string[]> {
  const { Contents = [], IsTruncated } = await client.send(new ListObjectsV2Command({ Bucket: BUCKET }));
  if (IsTruncated) throw new Error('more objects than one page');
  return Contents.map(({ Key }) => Key ?? '').sort();
}

async function readRows(url: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ line: string }>(
      "SELECT record_id || ' ' || content_hash AS line FROM parsed_content",
    );
    return rows.map(({ line }) => line).sort();
  } finally {
    await client.end();
  }
}

/** By its own REST interface, page after page. */
async function readVectors(url: string): Promise<string[]> {
  const lines: string[] = [];
  for (let after = ''; ; ) {
    const response = await fetch(`${url}/v1/objects?class=DataContent&limit=500&after=${after}`);
    const { objects } = (await response.json()) as { objects?: { id: string; properties: { content_hash: string } }[] };
    const last = objects?.at(-1);
    if (!objects || !last) return lines.sort();
    lines.push(...objects.map(({ id, properties }) => `${id} ${properties.content_hash}`));
    after = last.id;
  }
}
