/** The reading half of a bucket: our own's, and all there is of another's. */
import type { Readable } from 'node:stream';
import { GetObjectCommand, HeadObjectCommand, paginateListObjectsV2, type S3Client } from '@aws-sdk/client-s3';
import { Failure } from '../../schema/failures.ts';
import type { ReadableBucket } from '../contract.ts';
import { checkAnyKey, checkRange, missing } from './keys.ts';
import { explain, isStatus } from './s3-errors.ts';

export interface S3Reading {
  client: S3Client;
  bucket: string;
  /** Runs a step, and tells what the server or the network did as a Failure. */
  call<T>(step: () => Promise<T>): Promise<T>;
  /** Throw Failure('invalid_input'). */
  checkKey(key: string): void;
  checkPrefix(prefix: string): void;
}

export interface S3Head {
  size: number;
  modified: Date;
  etag: string | undefined;
}

export interface S3Reader extends ReadableBucket {
  head(key: string): Promise<S3Head | null>;
}

export function s3Reader({ client, bucket, call, checkKey, checkPrefix }: S3Reading): S3Reader {
  async function head(key: string): Promise<S3Head | null> {
    checkKey(key);
    return call(async () => {
      try {
        const found = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }));
        return { size: found.ContentLength ?? 0, modified: found.LastModified ?? new Date(0), etag: found.ETag };
      } catch (error) {
        if (isStatus(error, 404)) return null;
        throw error;
      }
    });
  }

  /** Asked for only when read, so that a stream nobody reads holds no connection. */
  async function* read(key: string, etag: string | undefined, start: number, end: number): AsyncGenerator<Buffer> {
    if (start >= end) return;
    const found = await call(() =>
      client.send(
        new GetObjectCommand({
          Bucket: bucket,
          Key: key,
          Range: `bytes=${start}-${end - 1}`,
          ...(etag === undefined ? {} : { IfMatch: etag }),
        }),
      ),
    ).catch((error) => {
      throw isStatus(error, 404) ? missing(key) : error;
    });
    const body = found.Body as Readable;
    try {
      for await (const chunk of body) yield Buffer.from(chunk);
    } finally {
      body.destroy();
    }
  }

  return {
    head,

    async get(key, range) {
      if (range) checkRange(range);
      const found = await head(key);
      if (!found) throw missing(key);
      return read(key, found.etag, range?.start ?? 0, Math.min(range?.end ?? found.size, found.size));
    },

    async stat(key) {
      const found = await head(key);
      return found && { size: found.size, modified: found.modified };
    },

    async *list(prefix) {
      checkPrefix(prefix);
      const pages = paginateListObjectsV2({ client }, { Bucket: bucket, Prefix: prefix });
      for (;;) {
        const page = await call(() => pages.next());
        if (page.done) return;
        for (const { Key, Size, LastModified } of page.value.Contents ?? []) {
          if (Key !== undefined) yield { key: Key, size: Size ?? 0, modified: LastModified ?? new Date(0) };
        }
      }
    },
  };
}

/** Somebody else's bucket: it is never made, and a refusal is about it and not about our own store. */
export function otherBucketReader(client: S3Client, endpoint: string, bucket: string): ReadableBucket {
  return s3Reader({
    client,
    bucket,
    checkKey: checkAnyKey,
    checkPrefix: (prefix) => checkAnyKey(`${prefix}x`),
    async call(step) {
      try {
        return await step();
      } catch (error) {
        if (isStatus(error, 404)) throw new Failure('not_found', `There is no bucket ${bucket}, or not that object`);
        if (isStatus(error, 401) || isStatus(error, 403)) {
          throw new Failure('forbidden', `The S3 credentials that are set here may not read the bucket ${bucket}`);
        }
        throw explain(error, endpoint);
      }
    },
  });
}
