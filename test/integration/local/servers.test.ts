/** The real servers that integration tests run against start, work and leave nothing behind. */
import { existsSync } from 'node:fs';
import { CreateBucketCommand, ListBucketsCommand, S3Client } from '@aws-sdk/client-s3';
import { Connection } from '@temporalio/client';
import { Redis } from 'ioredis';
import pg from 'pg';
import { afterAll, describe, expect, it } from 'vitest';
import { startTimeOf } from '../../../bin/lock.js';
import {
  hasServer,
  startRedis,
  startSystemPostgres,
  startTemporalServer,
  startVersitygw,
  startWeaviate,
} from '../../support/servers/index.ts';
import type { RunningServer } from '../../support/servers/process.ts';

const started: RunningServer[] = [];
afterAll(async () => {
  for (const server of started.reverse()) await server.stop();
});

async function gone(server: RunningServer): Promise<void> {
  const pid = server.service.pid as number;
  expect(startTimeOf(pid)).toBeDefined();
  await server.stop();
  expect(startTimeOf(pid)).toBeUndefined();
  expect(existsSync(server.folder)).toBe(false);
}

describe.skipIf(!(await hasServer('redis')))('redis', () => {
  it('keeps a value', async () => {
    const server = await startRedis();
    started.push(server);
    const client = new Redis(server.url);
    await client.set('a', '1');
    expect(await client.get('a')).toBe('1');
    await client.quit();
    await gone(server);
  });
});

describe.skipIf(!(await hasServer('versitygw')))('versitygw', () => {
  it('makes a bucket for its key', async () => {
    const server = await startVersitygw();
    started.push(server);
    const client = new S3Client({
      endpoint: server.url,
      region: server.region,
      forcePathStyle: true,
      credentials: { accessKeyId: server.accessKeyId, secretAccessKey: server.secretAccessKey },
    });
    await client.send(new CreateBucketCommand({ Bucket: 'some-bucket' }));
    expect((await client.send(new ListBucketsCommand({}))).Buckets?.map(({ Name }) => Name)).toEqual(['some-bucket']);
    client.destroy();
    await gone(server);
  });
});

describe.skipIf(!(await hasServer('weaviate')))('weaviate', () => {
  it('says its version', async () => {
    const server = await startWeaviate();
    started.push(server);
    const meta = (await (await fetch(`${server.url}/v1/meta`)).json()) as { version: string };
    expect(meta.version).toMatch(/^1\.35\./);
    await gone(server);
  });
});

describe.skipIf(!(await hasServer('postgres')))('Postgres of the system', () => {
  it('answers with its own version', async () => {
    const server = await startSystemPostgres();
    started.push(server);
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    const { rows } = await client.query<{ v: string }>("select current_setting('server_version_num') as v");
    await client.end();
    expect(Math.floor(Number(rows[0]?.v) / 10_000)).toBe(server.major);
    await gone(server);
  });
});

describe.skipIf(!(await hasServer('postgres')) || !(await hasServer('temporal-server')))('Temporal on Postgres', () => {
  it('serves its namespace with our search attributes', async () => {
    const postgres = await startSystemPostgres();
    started.push(postgres);
    const server = await startTemporalServer(postgres.url);
    started.push(server);
    const connection = await Connection.connect({ address: server.address });
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace: server.namespace });
    expect(Object.keys(customAttributes ?? {})).toContain('OstinatoKind');
    await connection.close();
    await gone(server);
  });
});
