/** Stages over a real S3 server, where objects are no files: the same results as over a folder. */
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
