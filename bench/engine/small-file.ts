/** Row (f), first part: a small file from the upload until it is completed, beside a bare workflow of the same activities. */
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { createActivities } from '../../src/activities/index.ts';
import { dataConverter } from '../../src/clients/temporal.ts';
import { createDeps } from '../../src/deps.ts';
import { freePort } from '../../src/local/ports.ts';
import { readRuntime } from '../../src/local/runtime.ts';
import { createLog } from '../../src/logging.ts';
import { loadConfig } from '../../src/schema/config.ts';
import type { Step } from '../../src/schema/ingestion.ts';
import { insertFile } from '../../src/stores/files.ts';
import { createOperate } from '../../src/workers/operate.ts';
import { newOwnQueue } from '../../src/workers/queues.ts';
import { removeDataDir, type System, startSystem, upload } from '../../test/support/system.ts';
import { embeddedDatabaseUrl } from '../../test/support/truth.ts';
import { median, type Row } from '../row.ts';

const ROUNDS = 21;
const KEY = '11'.repeat(32);
const WORKFLOWS = fileURLToPath(new URL('./workflows.ts', import.meta.url));

export async function benchSmallFile(): Promise<Row[]> {
  const port = await freePort();
  const system = await startSystem({ POSTGRES_PORT: String(port), PAYLOAD_KEY: KEY });
  try {
    const bare = await bareEngine(system, port);
    try {
      const ours: number[] = [];
      const theirs: number[] = [];
      let events = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const done = await throughSystem(system, round);
        ours.push(done.ms);
        events = Math.max(events, done.events);
        theirs.push(await bare.run(round));
      }
      const share = median(ours) / median(theirs);
      return [
        {
          id: 'f',
          what: 'a small file from upload to searchable',
          value: `${median(ours).toFixed(0)} ms, ${events} history events`,
          target: 'median < 1,000 ms, ≤ 30 events',
          met: median(ours) < 1000 && events <= 30,
        },
        {
          id: 'f',
          what: 'the same beside a bare workflow with the same activities',
          value: `${share.toFixed(2)} (bare ${median(theirs).toFixed(0)} ms)`,
          target: '≤ 1.3',
          met: share <= 1.3,
        },
      ];
    } finally {
      await bare.stop();
    }
  } finally {
    await system.stop();
    removeDataDir(system);
  }
}

const content = (word: string) =>
  Buffer.from(
    JSON.stringify(
      Array.from({ length: 20 }, (_, i) => ({
        type: 'message',
        user: 'U1',
        text: `${word} number ${i}`,
        ts: `17356896${10 + i}.000100`,
      })),
    ),
  );

/** Until the search finds what the file says, by words and by meaning. */
async function throughSystem(system: System, round: number): Promise<{ ms: number; events: number }> {
  const word = `marker${round}x${randomUUID().slice(0, 8)}`;
  const started = performance.now();
  const { body } = await upload(system, 'slack', `${word}.json`, content(word));
  for (;;) {
    const { body: file } = await system.call('GET', `/api/v1/files/${body.file_id}`);
    if (file.status === 'failed') throw new Error(JSON.stringify(file.error));
    if (file.status === 'completed') break;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const { body: found } = await system.call('POST', '/api/v1/query', { query: word, mode: 'keyword' });
  const ms = performance.now() - started;
  if (found.result_count === 0) throw new Error('completed, but not found');
  const { body: run } = await system.call('GET', `/api/v1/workflows/${body.workflow_id}`);
  return { ms, events: run.engine.history_length };
}

/** A worker for the bare workflow only; its activities run where the system's run. */
async function bareEngine(system: System, port: number) {
  const address = readRuntime(system.dataDir)?.addresses.temporal ?? '';
  const config = loadConfig({
    env: {
      DATA_DIR: system.dataDir,
      DATABASE_URL: embeddedDatabaseUrl(system.dataDir, port),
      TEMPORAL_ADDRESS: address,
      PAYLOAD_KEY: KEY,
      EMBEDDINGS: 'hash',
      EMBEDDING_DIMENSIONS: '128',
    },
    cwd: system.dataDir,
  });
  const deps = await createDeps(config, {
    log: createLog('silent', 'bench'),
    applicationName: 'bench',
    writesVectors: false,
  });
  const native = await NativeConnection.connect({ address });
  const connection = await Connection.connect({ address });
  const worker = await Worker.create({
    connection: native,
    taskQueue: 'bench',
    workflowsPath: WORKFLOWS,
    // Only its local activity runs here.
    activities: createActivities(deps, {
      stopping: new AbortController().signal,
      operate: createOperate(deps),
      ownQueue: newOwnQueue(),
    }),
    dataConverter: dataConverter(config),
  });
  const running = worker.run();
  const client = new Client({ connection, dataConverter: dataConverter(config) });
  return {
    async run(round: number): Promise<number> {
      const bytes = content(`bare${round}x${randomUUID().slice(0, 8)}`);
      const file_id = randomUUID();
      const workflowId = `bare-${file_id}`;
      const object_key = `uploads/${file_id}`;
      await deps.objects.put(object_key, bytes);
      await deps.db.transaction().execute((trx) =>
        insertFile(trx, {
          file_id,
          owner: 'bench',
          workflow_id: workflowId,
          filename: 'bare.json',
          source_type: 'slack',
          size_bytes: bytes.length,
          sha256: file_id,
          object_key,
          metadata: {},
        }),
      );
      const step: Step = { file_id, workflow_id: workflowId, attempt: 1, owner: 'bench', source: 'slack' };
      const started = performance.now();
      await client.workflow.execute('bareIngest', { taskQueue: 'bench', workflowId, args: [step] });
      return performance.now() - started;
    },
    async stop(): Promise<void> {
      worker.shutdown();
      await running;
      await connection.close();
      await native.close();
      await deps.close();
    },
  };
}
