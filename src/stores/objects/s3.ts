/** Objects in any S3 server: streams go up in bounded parts, and an upload that fails leaves nothing. */

import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { Agent } from 'node:https';
import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  HeadBucketCommand,
  ListMultipartUploadsCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { Failure } from '../../schema/failures.ts';
import type { ObjectStore } from '../contract.ts';
import { checkBucket, checkPrefix, keyParts, missing } from './keys.ts';
import { copyInParts } from './s3-copy.ts';
import { explain, isStatus } from './s3-errors.ts';
import { otherBucketReader, s3Reader } from './s3-read.ts';

/** Two parts in flight: 16 MiB a put at most, and 10,000 parts (S3's limit) reach 80 GB. */
const PART_BYTES = 8 * 1024 * 1024;
const PARTS_IN_FLIGHT = 2;
/** The largest CopyObject (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html). */
const MAX_SINGLE_COPY = 5 * 1024 ** 3;
/** The most keys of one DeleteObjects. */
const DELETE_BATCH = 1_000;
const PING_MS = 1_000;
/** As the SDK makes its own agent. */
const CONNECTIONS = { keepAlive: true, maxSockets: 50 };

export interface S3Options {
  endpoint: string;
  bucket: string;
  region: string;
  /** Absent: the SDK's own chain (environment, profile, instance role). */
  credentials?: { accessKeyId: string; secretAccessKey: string };
  /** Whom to trust, where it is not the public authorities alone. */
  ca?: string[] | undefined;
  /** Objects above this are moved in parts. Only tests set it. */
  maxSingleCopyBytes?: number;
}

/** Nothing is sent before the first call, which also creates the bucket when it is absent. */
export function s3Store(options: S3Options): ObjectStore {
  const { bucket, endpoint } = options;
  checkBucket(bucket);
  const client = new S3Client({
    endpoint,
    region: options.region,
    forcePathStyle: true,
    maxAttempts: 3,
    // Servers other than AWS do not all take the checksum trailers that are the SDK's default.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    ...(options.credentials ? { credentials: options.credentials } : {}),
    ...(options.ca ? { requestHandler: { httpsAgent: new Agent({ ca: options.ca, ...CONNECTIONS }) } } : {}),
  });
  let bucketReady: Promise<void> | null = null;

  async function bucketExists(): Promise<boolean> {
    try {
      await client.send(new HeadBucketCommand({ Bucket: bucket }));
      return true;
    } catch (error) {
      if (isStatus(error, 404)) return false;
      throw error;
    }
  }

  async function createBucket(): Promise<void> {
    if (await bucketExists()) return;
    try {
      await client.send(new CreateBucketCommand({ Bucket: bucket }));
    } catch (error) {
      // Another process may have been first; servers say so by 409 or by a 500 of their own.
      if (!(await bucketExists())) throw error;
    }
  }

  /** Runs a step once the bucket is there. A server that does not answer becomes Failure('unavailable'). */
  async function call<T>(step: () => Promise<T>): Promise<T> {
    try {
      bucketReady ??= createBucket().catch((error) => {
        bucketReady = null;
        throw error;
      });
      await bucketReady;
      return await step();
    } catch (error) {
      throw explain(error, endpoint);
    }
  }

  const { head, get, stat, list } = s3Reader({ client, bucket, call, checkKey: keyParts, checkPrefix });

  async function deleteAll(keys: string[]): Promise<void> {
    const Objects = keys.map((Key) => ({ Key }));
    const done = await call(() =>
      client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } })),
    );
    const [first] = done.Errors ?? [];
    if (first) throw new Failure('unavailable', `Object ${first.Key} was not deleted: ${first.Code}`);
  }

  const store: ObjectStore = {
    kind: 's3',
    bucket,

    async ping() {
      try {
        await client.send(new HeadBucketCommand({ Bucket: bucket }), { abortSignal: AbortSignal.timeout(PING_MS) });
      } catch (error) {
        // An absent bucket is a healthy server: the first call makes it.
        if (!isStatus(error, 404)) throw explain(error, endpoint);
      }
    },

    async put(key, body) {
      keyParts(key);
      let size = 0;
      async function* counted(): AsyncGenerator<Uint8Array> {
        for await (const chunk of body instanceof Uint8Array ? [body] : body) {
          size += chunk.byteLength;
          yield chunk;
        }
      }
      await call(async () => undefined);
      const upload = new Upload({
        client,
        params: { Bucket: bucket, Key: key, Body: Readable.from(counted(), { objectMode: false }) },
        partSize: PART_BYTES,
        queueSize: PARTS_IN_FLIGHT,
        leavePartsOnError: false,
      });
      await upload.done().catch((error) => {
        throw explain(error, endpoint);
      });
      return { size };
    },

    async putFile(key, file) {
      const stored = await store.put(key, createReadStream(file));
      await rm(file, { force: true });
      return stored;
    },

    async localFile(key) {
      if (!(await head(key))) throw missing(key);
      return null;
    },

    get,
    stat,

    async delete(key) {
      keyParts(key);
      await call(() => client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key })));
    },

    async deletePrefix(prefix) {
      let deleted = 0;
      let batch: string[] = [];
      for await (const { key } of list(prefix)) {
        batch.push(key);
        if (batch.length < DELETE_BATCH) continue;
        await deleteAll(batch);
        deleted += batch.length;
        batch = [];
      }
      if (batch.length > 0) await deleteAll(batch);
      return deleted + batch.length;
    },

    list,

    async move(from, to) {
      keyParts(to);
      const found = await head(from);
      if (!found) throw missing(from);
      if (from === to) return;
      await call(async () => {
        if (found.size <= (options.maxSingleCopyBytes ?? MAX_SINGLE_COPY)) {
          await client.send(new CopyObjectCommand({ Bucket: bucket, Key: to, CopySource: `${bucket}/${from}` }));
        } else {
          await copyInParts({ client, bucket, from, to, size: found.size });
        }
        await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: from }));
      });
    },

    async sweepUnfinished(before) {
      let swept = 0;
      let marker: { KeyMarker?: string; UploadIdMarker?: string } | null = {};
      while (marker) {
        const from: { KeyMarker?: string; UploadIdMarker?: string } = marker;
        const page = await call(() => client.send(new ListMultipartUploadsCommand({ Bucket: bucket, ...from })));
        for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
          if (Key === undefined || UploadId === undefined || !Initiated || Initiated >= before) continue;
          await call(() => client.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId }))).catch(
            (error) => {
              if (!isStatus(error, 404)) throw error;
            },
          );
          swept += 1;
        }
        marker =
          page.IsTruncated && page.NextKeyMarker
            ? {
                KeyMarker: page.NextKeyMarker,
                ...(page.NextUploadIdMarker ? { UploadIdMarker: page.NextUploadIdMarker } : {}),
              }
            : null;
      }
      return swept;
    },

    otherBucket: (other) => otherBucketReader(client, endpoint, other),

    async close() {
      client.destroy();
    },
  };
  return store;
}
