/** Vectors in a Weaviate server, under the same collection name and contract as the embedded index. */
import weaviate, {
  ApiKey,
  type Collection,
  configure,
  Filters,
  type FilterValue,
  tokenization,
  vectors as vectorizers,
  type WeaviateClient,
} from 'weaviate-client';
import { Failure } from '../../schema/failures.ts';
import { VECTOR_COLLECTION } from '../../schema/names.ts';
import type { VectorFilter, VectorIndex, VectorRow } from '../contract.ts';
import { checkId, checkLimit, checkRows, checkVector } from './check.ts';

/** Objects of one request: 1,536 dimensions make about 6 MB of it, under the server's message limit of 10 MB. */
const WRITE_BATCH = 500;
const DELETE_BATCH = 1_000;
const SCAN_PAGE = 1_000;
const PING_MS = 1_000;

/** Object properties; the record's id is the object's own UUID. */
type Properties = {
  owner: string;
  source: string;
  content_type: string;
  author?: string;
  occurred_at?: number;
  content_hash: string;
};

/**
 * Connects and creates the collection when it is absent. Throws Failure('unavailable') when the server does not answer
 * and Failure('conflict') when the stored vectors have other dimensions.
 */
export async function openWeaviate(options: {
  url: string;
  grpcPort: number;
  apiKey?: string | undefined;
  dimensions: number;
}): Promise<VectorIndex> {
  const { dimensions } = options;
  const address = new URL(options.url);
  const attempt = <T>(step: () => Promise<T>): Promise<T> =>
    step().catch((error) => {
      if (error instanceof Failure) throw error;
      throw new Failure('unavailable', `Weaviate at ${address.host}: ${firstLine(error)}`, { cause: error });
    });
  const client = await attempt(() => connect(address, options.grpcPort, options.apiKey));
  const collection = await attempt(() => openCollection(client));
  await attempt(() => checkStored(collection, dimensions, address.host));

  async function page(after?: string) {
    return attempt(() =>
      collection.query.fetchObjects({
        limit: SCAN_PAGE,
        returnProperties: ['content_hash'],
        ...(after === undefined ? {} : { after }),
      }),
    );
  }

  return {
    kind: 'weaviate',
    dimensions,

    async ping() {
      const response = await attempt(() =>
        fetch(new URL('/v1/.well-known/ready', address), { signal: AbortSignal.timeout(PING_MS) }),
      );
      if (!response.ok)
        throw new Failure('unavailable', `Weaviate at ${address.host} is not ready (${response.status})`);
    },

    async upsert(rows) {
      const checked = checkRows(rows, dimensions);
      for (let at = 0; at < checked.length; at += WRITE_BATCH) {
        const batch = checked.slice(at, at + WRITE_BATCH).map(toObject);
        const done = await attempt(() => collection.data.insertMany(batch));
        const [failed] = Object.values(done.errors);
        if (failed) throw new Failure('unavailable', `Weaviate did not store a vector: ${failed.message}`);
      }
    },

    async deleteIds(ids) {
      ids.forEach(checkId);
      for (let at = 0; at < ids.length; at += DELETE_BATCH) {
        const batch = ids.slice(at, at + DELETE_BATCH);
        const done = await attempt(() => collection.data.deleteMany(collection.filter.byId().containsAny(batch)));
        if (done.failed > 0) throw new Failure('unavailable', `Weaviate kept ${done.failed} vectors to be deleted`);
      }
    },

    async search(vector, k, filter) {
      checkVector(vector, dimensions);
      checkLimit(k);
      const filters = compileFilter(collection, filter);
      if (filters === null) return [];
      const found = await attempt(() =>
        collection.query.nearVector(Array.from(vector), {
          limit: k,
          returnMetadata: ['distance'],
          returnProperties: [],
          ...(filters ? { filters } : {}),
        }),
      );
      return found.objects.map(({ uuid, metadata }) => ({ id: uuid, score: 1 - (metadata?.distance ?? 1) }));
    },

    // Not the client's iterator: version 3.12 asks for 100 objects anew for every single one.
    async *scan() {
      let objects = (await page()).objects;
      while (objects.length > 0) {
        for (const { uuid, properties } of objects) yield { id: uuid, content_hash: properties.content_hash };
        objects = (await page(objects.at(-1)?.uuid)).objects;
      }
    },

    count: async () => (await attempt(() => collection.aggregate.overAll())).totalCount,

    /** Weaviate folds its own files. */
    async compact() {},

    async close() {
      await client.close();
    },
  };
}

function connect(address: URL, grpcPort: number, apiKey: string | undefined): Promise<WeaviateClient> {
  const secure = address.protocol === 'https:';
  return weaviate.connectToCustom({
    httpHost: address.hostname,
    httpPort: Number(address.port) || (secure ? 443 : 80),
    httpSecure: secure,
    grpcHost: address.hostname,
    grpcPort,
    grpcSecure: secure,
    timeout: { init: 10, query: 30, insert: 120 },
    ...(apiKey ? { authCredentials: new ApiKey(apiKey) } : {}),
  });
}

async function openCollection(client: WeaviateClient): Promise<Collection<Properties, typeof VECTOR_COLLECTION>> {
  if (!(await client.collections.exists(VECTOR_COLLECTION))) {
    // `field` keeps a text whole: filters compare the value, not its words.
    const text = (name: string) =>
      ({ name, dataType: 'text', tokenization: tokenization.FIELD, indexSearchable: false }) as const;
    try {
      await client.collections.create({
        name: VECTOR_COLLECTION,
        vectorizers: vectorizers.selfProvided({
          vectorIndexConfig: configure.vectorIndex.hnsw({ distanceMetric: 'cosine' }),
        }),
        properties: [
          ...['owner', 'source', 'content_type', 'author', 'content_hash'].map(text),
          { name: 'occurred_at', dataType: 'int', indexRangeFilters: true },
        ],
      });
    } catch (error) {
      // Another process may have been first.
      if (!(await client.collections.exists(VECTOR_COLLECTION))) throw error;
    }
  }
  return client.collections.use(VECTOR_COLLECTION) as unknown as Collection<Properties, typeof VECTOR_COLLECTION>;
}

async function checkStored(
  collection: Collection<Properties, typeof VECTOR_COLLECTION>,
  dimensions: number,
  host: string,
): Promise<void> {
  const { objects } = await collection.query.fetchObjects({ limit: 1, includeVector: true, returnProperties: [] });
  const stored = objects[0]?.vectors.default?.length;
  if (stored === undefined || stored === dimensions) return;
  throw new Failure(
    'conflict',
    `The collection ${VECTOR_COLLECTION} of Weaviate at ${host} holds vectors of ${stored} dimensions, but the embedder in ` +
      `force makes ${dimensions}. Set the embedder back, or delete that collection and start again: the vectors are made anew from the stored records.`,
  );
}

/** Undefined when nothing is filtered, null when nothing can match. */
function compileFilter(
  collection: Collection<Properties, typeof VECTOR_COLLECTION>,
  filter: VectorFilter,
): FilterValue | undefined | null {
  const conditions: FilterValue[] = [];
  for (const [name, values] of [
    ['owner', filter.owners],
    ['source', filter.sources],
    ['content_type', filter.content_types],
  ] as const) {
    if (values?.length === 0) return null;
    if (values) conditions.push(collection.filter.byProperty(name).containsAny([...values]));
  }
  if (filter.author !== undefined) conditions.push(collection.filter.byProperty('author').equal(filter.author));
  const occurred = collection.filter.byProperty('occurred_at');
  if (filter.from !== undefined) conditions.push(occurred.greaterOrEqual(Math.ceil(filter.from)));
  if (filter.to !== undefined) conditions.push(occurred.lessThan(Math.ceil(filter.to)));
  return conditions.length === 0 ? undefined : Filters.and(...conditions);
}

function toObject(row: VectorRow) {
  const { id, vector, author, occurred_at, owner, source, content_type, content_hash } = row;
  const optional = { ...(author === null ? {} : { author }), ...(occurred_at === null ? {} : { occurred_at }) };
  return { id, vectors: Array.from(vector), properties: { owner, source, content_type, content_hash, ...optional } };
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]?.slice(0, 300) ?? '';
}
