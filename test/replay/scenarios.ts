/** The runs whose histories are recorded: every workflow type, and every way an ingestion can go. */
import { Client, Connection } from '@temporalio/client';
import { slackExport } from '../../samples/slack/export.ts';
import { dataConverter } from '../../src/clients/temporal.ts';
import { readRuntime } from '../../src/local/runtime.ts';
import { loadConfig } from '../../src/schema/config.ts';
import { type System, untilOver, upload } from '../support/system.ts';

export interface Recorded {
  name: string;
  workflowId: string;
  /** Absent: the newest run. */
  runId?: string;
}

/** Large enough that a pause or a cancellation meets it in the middle of parsing. */
const LONG_MESSAGES = 30_000;

export async function connect(system: System, payloadKey: string): Promise<{ client: Client; close(): Promise<void> }> {
  const address = readRuntime(system.dataDir)?.addresses.temporal;
  if (!address) throw new Error('runtime.json names no Temporal');
  const connection = await Connection.connect({ address });
  const config = loadConfig({ env: { PAYLOAD_KEY: payloadKey }, cwd: system.dataDir });
  return { client: new Client({ connection, dataConverter: dataConverter(config) }), close: () => connection.close() };
}

export async function runScenarios(system: System, client: Client): Promise<Recorded[]> {
  const small = Buffer.from(
    JSON.stringify([{ type: 'message', user: 'U1', text: 'The launch moved to Friday', ts: '1735689600.000100' }]),
  );
  const recorded: Recorded[] = [];
  const keep = (name: string, workflowId: string) => recorded.push({ name, workflowId });

  const plain = await accepted(upload(system, 'slack', 'general.json', small));
  await untilOver(system, plain.file_id);
  keep('ingestFile-completed', plain.workflow_id);

  const broken = await accepted(upload(system, 'slack', 'broken.json', Buffer.from('[{"nothing": "of slack"}]')));
  await untilOver(system, broken.file_id);
  keep('ingestFile-failed', broken.workflow_id);

  const imported = await accepted(
    system.call('POST', '/api/v1/files/import', { source_type: 'slack', url: 'https://127.0.0.1:9/export.json' }),
  );
  await untilOver(system, imported.file_id);
  keep('ingestFile-import-refused', imported.workflow_id);

  const paused = await accepted(upload(system, 'slack', 'paused.zip', await long('paused')));
  await untilParsing(system, paused.file_id);
  await expectStatus(system.call('POST', `/api/v1/files/${paused.file_id}/pause`), 200);
  await expectStatus(system.call('POST', `/api/v1/files/${paused.file_id}/resume`), 200);
  await untilOver(system, paused.file_id);
  keep('ingestFile-paused', paused.workflow_id);

  const cancelled = await accepted(upload(system, 'slack', 'cancelled.zip', await long('cancelled')));
  await untilParsing(system, cancelled.file_id);
  await expectStatus(system.call('POST', `/api/v1/files/${cancelled.file_id}/cancel`), 200);
  await untilOver(system, cancelled.file_id);
  keep('ingestFile-cancelled', cancelled.workflow_id);

  const removal = await expectStatus(system.call('DELETE', `/api/v1/files/${plain.file_id}`), 202);
  await client.workflow.getHandle(removal.workflow_id).result();
  keep('deleteFile-completed', removal.workflow_id);

  for (const [type, schedule] of [
    ['reconcile', 'ostinato-reconcile'],
    ['sweepStorage', 'ostinato-sweep'],
    ['catchUpVectors', 'ostinato-vectors'],
    ['watchAgents', 'ostinato-agents'],
  ] as const) {
    const handle = client.schedule.getHandle(schedule);
    await handle.trigger();
    for (;;) {
      const action = (await handle.describe()).info.recentActions.at(-1)?.action;
      if (action) {
        await client.workflow.getHandle(action.workflow.workflowId, action.workflow.firstExecutionRunId).result();
        keep(`${type}-completed`, action.workflow.workflowId);
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  return recorded;
}

async function long(seed: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of slackExport({ messages: LONG_MESSAGES, seed })) parts.push(part);
  return Buffer.concat(parts);
}

async function expectStatus(answer: ReturnType<System['call']>, status: number): Promise<any> {
  const { status: got, body } = await answer;
  if (got !== status) throw new Error(`expected ${status}, got ${got}: ${JSON.stringify(body)}`);
  return body;
}

const accepted = (answer: ReturnType<System['call']>) =>
  expectStatus(answer, 202) as Promise<{ file_id: string; workflow_id: string }>;

async function untilParsing(system: System, fileId: string): Promise<void> {
  for (;;) {
    const { body } = await system.call('GET', `/api/v1/files/${fileId}`);
    if (body.total_records > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
