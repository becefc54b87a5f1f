/** The S3 store against a real server: the common contract, and what only a server can do wrong. */
import { randomBytes } from 'node:crypto';
import { CreateMultipartUploadCommand, S3Client, UploadPartCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openObjects } from '../../../src/stores/objects/index.ts';
import { s3Store } from '../../../src/stores/objects/s3.ts';
import { collect, objectStoreContract } from '../../stores/objects/contract.ts';
import { hasServer, startVersitygw } from '../../support/servers/index.ts';

describe.skipIf(!(await hasServer('versitygw')))('with a real server', () => {
  let server: Awaited<ReturnType<typeof startVersitygw>>;
  beforeAll(async () => {
    server = await startVersitygw();
  });
  afterAll(() => server.stop());

  const credentials = () => ({ accessKeyId: server.accessKeyId, secretAccessKey: server.secretAccessKey });
  const open = (bucket: string, more: { maxSingleCopyBytes?: number } = {}) =>
    s3Store({ endpoint: server.url, bucket, region: 'us-east-1', credentials: credentials(), ...more });

  objectStoreContract('s3', async () => open('contract-bucket'));

  test('is what openObjects gives when S3_ENDPOINT is set', async () => {
    const store = await openObjects({
      dataDir: 'unused',
      S3_ENDPOINT: server.url,
      S3_BUCKET: 'from-settings',
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: server.accessKeyId,
      AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
    });
    await store.ping();
    await store.put('a', Buffer.from('x'));
    expect(store).toMatchObject({ kind: 's3', bucket: 'from-settings' });
    await store.close();
  });

  test('two processes may meet a missing bucket at once', async () => {
    const stores = Array.from({ length: 4 }, () => open('raced-bucket'));
    await Promise.all(stores.map((store, at) => store.put(`k${at}`, Buffer.from('x'))));
    expect(await stores[0]?.deletePrefix('')).toBe(4);
    for (const store of stores) await store.close();
  });

  test('moves an object over the size of a single copy in parts', async () => {
    const store = open('large-moves', { maxSingleCopyBytes: 6 * 1024 ** 2 });
    const bytes = randomBytes(11 * 1024 ** 2 + 7);
    await store.put('from', bytes);
    await store.move('from', 'to');
    expect(await store.stat('from')).toBeNull();
    expect((await collect(await store.get('to'))).equals(bytes)).toBe(true);
    expect(await store.sweepUnfinished(new Date(Date.now() + 60_000))).toBe(0);
    await store.close();
  });

  test('sweeps multipart uploads that were begun and left, by their age', async () => {
    const store = open('sweeps');
    await store.put('finished', Buffer.from('x'));
    const client = new S3Client({
      endpoint: server.url,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: credentials(),
    });
    for (const Key of ['left/a', 'left/b']) {
      const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket: 'sweeps', Key }));
      await client.send(
        new UploadPartCommand({ Bucket: 'sweeps', Key, UploadId, PartNumber: 1, Body: randomBytes(5 * 1024 ** 2) }),
      );
    }
    expect(await store.sweepUnfinished(new Date(Date.now() - 3_600_000))).toBe(0);
    expect(await store.sweepUnfinished(new Date(Date.now() + 60_000))).toBe(2);
    expect(await store.sweepUnfinished(new Date(Date.now() + 60_000))).toBe(0);
    expect(await store.stat('finished')).not.toBeNull();
    client.destroy();
    await store.close();
  });

  test('streams a large object with little memory', async () => {
    const store = open('large-puts');
    const chunk = randomBytes(1024 ** 2);
    const before = process.memoryUsage().arrayBuffers;
    let peak = 0;
    await store.put(
      'large',
      (async function* () {
        for (let at = 0; at < 200; at += 1) {
          yield chunk;
          peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
        }
      })(),
    );
    expect(await store.stat('large')).toMatchObject({ size: 200 * 1024 ** 2 });
    expect(peak).toBeLessThan(120 * 1024 ** 2);
    await store.close();
  });

  test('says that the server is unreachable or refuses the credentials, without a secret', async () => {
    const nobody = s3Store({
      endpoint: 'http://127.0.0.1:9',
      bucket: 'some-bucket',
      region: 'x',
      credentials: credentials(),
    });
    await expect(nobody.ping()).rejects.toMatchObject({ code: 'unavailable' });
    await expect(nobody.put('a', Buffer.from('x'))).rejects.toThrow(/127\.0\.0\.1:9 does not answer/);
    const wrong = s3Store({
      endpoint: server.url,
      bucket: 'some-bucket',
      region: 'us-east-1',
      credentials: { accessKeyId: server.accessKeyId, secretAccessKey: 'wrong-secret' },
    });
    await expect(wrong.stat('a')).rejects.toMatchObject({ code: 'unavailable' });
    await expect(wrong.stat('a')).rejects.toThrow(/refuses the credentials/);
    await expect(wrong.stat('a')).rejects.not.toThrow(/wrong-secret/);
    await nobody.close();
    await wrong.close();
  });
});
