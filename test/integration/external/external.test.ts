/** The whole system on real servers: nothing embedded, everything found where it should be, also after a kill -9. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { slackExport } from '../../../samples/slack/export.ts';
import { readRuntime } from '../../../src/local/runtime.ts';
import { SEARCH_ATTRIBUTES } from '../../../src/schema/names.ts';
import { hasServer } from '../../support/servers/index.ts';
import { removeDataDir, type System, startSystem, untilOver, upload } from '../../support/system.ts';
import { type Servers, startServers } from './stand.ts';

const CSV = fileURLToPath(new URL('../../../samples/data/salesforce/Contact.csv', import.meta.url));
const MESSAGES = 3_000;

/** Each is asked for, so that each missing one is named. */
const there = await Promise.all(
  (['postgres', 'temporal-server', 'weaviate', 'versitygw', 'redis'] as const).map((name) => hasServer(name)),
);

describe.skipIf(there.includes(false))('on real servers', () => {
  let servers: Servers;
  let system: System;
  beforeAll(async () => {
    servers = await startServers();
    system = await startSystem({ ...servers.environment, INGEST_BATCH_RECORDS: '400' });
  }, 240_000);
  afterAll(async () => {
    const code = await system?.stop();
    if (system) removeDataDir(system);
    await servers?.stop();
    expect(code).toBe(0);
  }, 120_000);

  async function ingest(source: string, filename: string, content: Uint8Array): Promise<any> {
    const { status, body } = await upload(system, source, filename, content);
    expect(status).toBe(202);
    return body;
  }

  async function remove(fileId: string): Promise<void> {
    const { status, body } = await system.call('DELETE', `/api/v1/files/${fileId}`);
    expect(status).toBe(202);
    await expect
      .poll(async () => (await system.call('GET', `/api/v1/workflows/${body.workflow_id}`)).body.status, {
        timeout: 60_000,
        interval: 100,
      })
      .toBe('completed');
  }

  test('nothing embedded is started', () => {
    const runtime = readRuntime(system.dataDir);
    expect(runtime?.processes.map(({ name }) => name).sort()).toEqual(['api', 'worker']);
    expect(Object.keys(runtime?.addresses ?? {}).sort()).toEqual(['api', 'docs', 'mcp', 'temporal']);
  });

  test('the namespace was made with our attributes and retention', async () => {
    const connection = await Connection.connect({ address: servers.temporalAddress });
    try {
      const namespace = 'external-path';
      const { config } = await connection.workflowService.describeNamespace({ namespace });
      expect(Number(config?.workflowExecutionRetentionTtl?.seconds)).toBe(12 * 86_400);
      const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
      for (const name of Object.values(SEARCH_ATTRIBUTES)) expect(customAttributes).toHaveProperty(name);
    } finally {
      await connection.close();
    }
  });

  test('health names every component as what it is', async () => {
    const { status, body } = await system.call('GET', '/health');
    expect(status).toBe(200);
    expect(body.status).toBe('ok');
    const { components } = body;
    for (const component of Object.values(components)) expect(component).toMatchObject({ status: 'up' });
    expect(components.temporal.detail).toContain('external-path');
    expect(components.postgres.detail).toMatch(/^Postgres 1\d/);
    expect(components.objects.detail).toBe('s3 external-path');
    expect(components.vectors.detail).toMatch(/^weaviate/);
    expect(components.cache.detail).toBe('redis');
    expect(components.worker.status).toBe('up');
  });

  test('a ZIP whose worker is killed and a CSV arrive whole; queries hit the cache; deletion leaves nothing', async () => {
    const parts: Uint8Array[] = [];
    for await (const part of slackExport({ messages: MESSAGES, seed: 'external' })) parts.push(part);
    const zip = await ingest('slack', 'export.zip', Buffer.concat(parts));
    await expect
      .poll(async () => (await system.call('GET', `/api/v1/files/${zip.file_id}`)).body.total_records, {
        timeout: 30_000,
        interval: 20,
      })
      .toBeGreaterThan(0);
    system.kill('worker');
    const csv = await ingest('salesforce', 'Contact.csv', readFileSync(CSV));
    const slack = await untilOver(system, zip.file_id, 180);
    const contacts = await untilOver(system, csv.file_id, 60);
    expect(slack).toMatchObject({ status: 'completed', phase: 'completed', progress: 100, error_count: 0 });
    expect(contacts).toMatchObject({ status: 'completed', error_count: 0 });
    expect(slack.total_records).toBeGreaterThanOrEqual(MESSAGES);
    expect([slack.vector_count, contacts.vector_count]).toEqual([slack.total_records, contacts.total_records]);

    const [rows, vectors, objects] = await Promise.all([servers.rows(), servers.vectors(), servers.objects()]);
    expect(rows).toHaveLength(slack.total_records + contacts.total_records);
    expect(new Set(rows).size).toBe(rows.length);
    expect(vectors).toEqual(rows);
    expect(objects).toEqual([`uploads/${zip.file_id}`, `uploads/${csv.file_id}`].sort());

    const question = { query: 'launch plan', mode: 'hybrid' };
    const first = (await system.call('POST', '/api/v1/query', question)).body;
    expect(first).toMatchObject({ cache_hit: false, mode: 'hybrid' });
    expect(first.result_count).toBeGreaterThan(0);
    const second = (await system.call('POST', '/api/v1/query', question)).body;
    expect(second.cache_hit).toBe(true);
    expect(second.results).toEqual(first.results);

    await remove(csv.file_id);
    expect(await servers.objects()).toEqual([`uploads/${zip.file_id}`]);
    expect(await servers.rows()).toHaveLength(slack.total_records);
    expect(await servers.vectors()).toEqual(await servers.rows());
    expect((await system.call('POST', '/api/v1/query', question)).body.cache_hit).toBe(false);

    await remove(zip.file_id);
    expect(await Promise.all([servers.rows(), servers.vectors(), servers.objects()])).toEqual([[], [], []]);
  }, 300_000);
});
