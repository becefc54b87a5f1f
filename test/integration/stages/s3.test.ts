/** Stages over a real S3 server, where objects are no files: the same results as over a folder. */
import { CreateBucketCommand, ListBucketsCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mergeBatches, splitBatches } from '../../../src/activities/stages/batches.ts';
import type { StageRequest } from '../../../src/schema/stages/contract.ts';
import { s3Store } from '../../../src/stores/objects/s3.ts';
import { type StageKit, stageKit } from '../../activities/stages/kit.ts';
import { hasServer, startVersitygw } from '../../support/servers/index.ts';

describe.skipIf(!(await hasServer('versitygw')))('with a real server', () => {
  let server: Awaited<ReturnType<typeof startVersitygw>>;
  let kits: StageKit[];
  beforeAll(async () => {
    server = await startVersitygw();
    const credentials = { accessKeyId: server.accessKeyId, secretAccessKey: server.secretAccessKey };
    const objects = s3Store({
      endpoint: server.url,
      bucket: 'orchestra-data-ingestion',
      region: 'us-east-1',
      credentials,
    });
    kits = [await stageKit({}, { objects }), await stageKit()];
  });
  afterAll(async () => {
    for (const kit of kits) await kit.close();
    await kits[0]?.deps.objects.close();
    await server.stop();
  });

  describe('buckets of others', () => {
    const csv = Buffer.from('id,name\n1,a\n');
    let lake: S3Client;
    let kit: StageKit;
    beforeAll(async () => {
      const { accessKeyId, secretAccessKey } = server;
      const options = { endpoint: server.url, region: 'us-east-1', credentials: { accessKeyId, secretAccessKey } };
      lake = new S3Client({ ...options, forcePathStyle: true });
      for (const Bucket of ['lake', 'vault']) {
        await lake.send(new CreateBucketCommand({ Bucket }));
        for (const Key of ['public/day=1/part 1.csv', 'public/day=2/übrig.csv', 'secret/x.csv', 'uploads/x.csv'])
          await lake.send(new PutObjectCommand({ Bucket, Key, Body: csv }));
      }
      const objects = s3Store({ ...options, bucket: 'orchestra-data-ingestion' });
      kit = await stageKit({ DATA_BUCKETS: 'lake,absent', DATA_PREFIXES: 'imports/,s3://lake/public/' }, { objects });
    });
    afterAll(async () => {
      await kit.close();
      await kit.deps.objects.close();
      lake.destroy();
    });
    const read = async (source: string, all_owners = false) =>
      (await kit.run('data-ingestion', { source, filename_column: 'from' }, { all_owners })).dataset?.rows;

    test('are read where they are named: by everybody what is open, by operators all', async () => {
      expect(await read('s3://lake/public/')).toBe(2);
      expect(await read('s3://lake/public')).toBe(2);
      expect(await read('s3://lake/public/day=1/part 1.csv')).toBe(1);
      expect(await read('s3://lake/public/day=2/')).toBe(1);
      expect(await read('s3://lake/secret/x.csv', true)).toBe(1);
      // Rooms of the house are in our own bucket.
      expect(await read('s3://lake/uploads/x.csv', true)).toBe(1);
      expect(await read('s3://lake', true)).toBe(4);
    });

    test('are closed to all others, and no key of theirs can be tried out', async () => {
      const refusal = (source: string) => read(source).catch((error) => `${error.code}: ${error.message}`);
      const absent = (await refusal('s3://lake/secret/none.csv')) as string;
      expect(absent).toMatch(/^not_found: /);
      expect(await refusal('s3://lake/secret/x.csv')).toBe(absent.replace('none', 'x'));
      for (const source of ['s3://lake/uploads/x.csv', 's3://lake/', 's3://lake/publi', 's3://lake/secret/'])
        expect(await refusal(source), source).toMatch(/^not_found: /);
      await expect(read('s3://lake/public/../secret/x.csv')).rejects.toMatchObject({ code: 'invalid_input' });
    });

    test('are closed to everybody where they are not named, and none is made', async () => {
      for (const all of [true, false])
        await expect(read('s3://vault/public/', all)).rejects.toMatchObject({ code: 'forbidden' });
      await expect(read('s3://absent/x.csv', true)).rejects.toMatchObject({ code: 'not_found' });
      await expect(read('s3://absent/x/', true)).rejects.toMatchObject({ code: 'not_found' });
      const { Buckets } = await lake.send(new ListBucketsCommand({}));
      expect(Buckets?.map(({ Name }) => Name)).not.toContain('absent');
    });
  });

  test('every type gives the same bytes', async () => {
    const results = await Promise.all(
      kits.map(async (kit) => {
        const seen: unknown[] = [];
        await kit.put(
          'in/a.csv',
          `id,v,t\n${Array.from({ length: 5_000 }, (_, i) => `${i},${i * 0.5},text ${i % 50}`).join('\n')}\n`,
        );
        const { dataset } = await kit.run(
          'data-ingestion',
          { source: `s3://${kit.deps.objects.bucket}/in/` },
          { prefix: 'runs/w/0/' },
        );
        if (!dataset) throw new Error('no dataset');
        const inputs: StageRequest['inputs'] = [{ name: 'a', dataset }];
        for (const [type, config] of [
          ['transformation', { sql: 'SELECT t, count(*) AS n FROM a GROUP BY t ORDER BY t' }],
          ['analysis', {}],
          ['validation', { rules: [{ type: 'range', column: 'v', max: 2000, threshold: 1 }] }],
          ['processing', { sql: 'SELECT sum(id) AS s FROM batch', batch_size: 1000, parallel_workers: 2 }],
          ['output', { files: [{ format: 'csv', key: 'x.csv' }], report: true }],
        ] as const) {
          seen.push(await kit.run(type, config as never, { inputs, prefix: `runs/w/${type}/` }));
        }
        const request = kit.request(
          'processing',
          { agent: {}, batch_size: 2_000 },
          { inputs, prefix: 'runs/w/agents/' },
        );
        seen.push(await mergeBatches(kit.deps, kit.runner, request, await splitBatches(kit.deps, kit.runner, request)));
        seen.push(await kit.sha256('outputs/alice/x.csv'));
        return [dataset, ...seen];
      }),
    );
    expect(results[0]).toEqual(results[1]);
    expect(results[0]?.[0]).toMatchObject({ rows: 5_000 });
  });
});
