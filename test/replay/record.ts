/**
 * Records the histories that `replay.test.ts` replays: `npm run record -- [group or history…]`. Only for new workflows or
 * `patched()` ones: name what is new, and no other history changes. `runPipeline-unasked` was recorded before compensating
 * stages asked for approvals, `runPipeline-looking-…` when runs still looked at tasks of others every five seconds: they
 * cannot be again.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { payloadCodec } from '../../src/clients/payload-codec.ts';
import { removeDataDir, startSystem } from '../support/system.ts';
import { runPipelineScenarios } from './pipeline-scenarios.ts';
import { connect, runScenarios } from './scenarios.ts';
import { runTaskScenarios } from './task-scenarios.ts';

const PAYLOAD_KEY = '00'.repeat(32);
const FOLDER = fileURLToPath(new URL('./histories/', import.meta.url));

const GROUPS = { house: runScenarios, tasks: runTaskScenarios, pipelines: runPipelineScenarios };
const named = process.argv.slice(2);
const isGroup = (name: string) => Object.hasOwn(GROUPS, name);
const groups = named.filter(isGroup);
const histories = named.filter((name) => !isGroup(name));

const system = await startSystem({ PAYLOAD_KEY, INGEST_BATCH_RECORDS: '400', EGRESS_ALLOW: 'localhost' });
try {
  const { client, close } = await connect(system, PAYLOAD_KEY);
  for (const [group, run] of Object.entries(GROUPS)) {
    if (groups.length > 0 && !groups.includes(group)) continue;
    for (const { name, workflowId, runId } of await run(system, client)) {
      if (histories.length > 0 && !histories.includes(name)) continue;
      const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
      // Readable in review: what was sealed on the wire is opened here.
      const opened = await openPayloads(history);
      writeFileSync(`${FOLDER}${name}.json`, `${plain(historyToJSON(opened as typeof history))}\n`);
      console.log(`${name}: ${history.events?.length} events`);
    }
  }
  await close();
} finally {
  await system.stop();
  removeDataDir(system);
}

/** A copy in which every payload, wherever it stands, is decoded. */
async function openPayloads(value: unknown): Promise<unknown> {
  const codec = payloadCodec(PAYLOAD_KEY);
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return value;
  if (isPayload(value)) return (await codec.decode([value]))[0];
  if (Array.isArray(value)) return Promise.all(value.map(openPayloads));
  for (const [key, inner] of Object.entries(value)) (value as Record<string, unknown>)[key] = await openPayloads(inner);
  return value;
}

function isPayload(value: object): value is { metadata: Record<string, Uint8Array>; data: Uint8Array } {
  return (
    'data' in value &&
    'metadata' in value &&
    (value as { metadata?: Record<string, unknown> }).metadata?.encoding instanceof Uint8Array
  );
}

/** Without what belongs to the machine it was recorded on: stack traces and process names decide nothing. */
function plain(json: string): string {
  return JSON.stringify(
    JSON.parse(json, (key, value) => (key === 'stackTrace' ? '' : key === 'identity' ? 'recorder' : value)),
    null,
    1,
  );
}
