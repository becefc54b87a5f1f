/** Row (f), second part: six no-op activities in sequence under our dispatch settings and under stock ones. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { TEMPORAL } from '../../src/local/components/catalogue.ts';
import { resolveComponent } from '../../src/local/components/resolve.ts';
import { createSupervisor } from '../../src/local/supervise.ts';
import { startTemporal } from '../../src/local/temporal.ts';
import { loadConfig } from '../../src/schema/config.ts';
import { median, type Row } from '../row.ts';

const ROUNDS = 21;
const WORKFLOWS = fileURLToPath(new URL('./workflows.ts', import.meta.url));

export async function benchDispatch(): Promise<Row> {
  const folder = mkdtempSync(join(tmpdir(), 'ostinato-dispatch-'));
  const supervisor = createSupervisor({ logDir: join(folder, 'logs'), report: () => {} });
  const config = loadConfig({ cwd: folder });
  const { path } = await resolveComponent(TEMPORAL, {
    cacheDir: config.cacheDir,
    timeoutSeconds: 1200,
    report: console.log,
    environment: process.env,
  });
  const engines: { run(): Promise<number>; stop(): Promise<void> }[] = [];
  try {
    for (const stockDispatch of [false, true]) {
      engines.push(await startEngine(folder, path, supervisor, stockDispatch));
    }
    const [ours, stock] = engines;
    if (!ours || !stock) throw new Error('two engines were to be started');
    const times = { ours: [] as number[], stock: [] as number[] };
    for (let round = 0; round < ROUNDS; round++) {
      times.ours.push(await ours.run());
      times.stock.push(await stock.run());
    }
    const share = median(times.ours) / median(times.stock);
    return {
      id: 'f',
      what: 'six sequential no-op activities, time relative to stock dispatch settings',
      value: `${share.toFixed(2)} (${median(times.ours).toFixed(0)} ms beside ${median(times.stock).toFixed(0)} ms)`,
      target: '≤ 0.25',
      met: share <= 0.25,
    };
  } finally {
    for (const engine of engines) await engine.stop();
    await supervisor.stopAll(['temporal', 'temporal-stock']);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function startEngine(
  folder: string,
  binary: string,
  supervisor: ReturnType<typeof createSupervisor>,
  stockDispatch: boolean,
) {
  const engine = await startTemporal({
    binary,
    databaseFile: join(folder, `${stockDispatch ? 'stock' : 'ours'}.db`),
    namespace: 'default',
    retentionDays: 1,
    port: 0,
    uiPort: 0,
    synchronous: 'full',
    publicUrl: 'http://127.0.0.1:1',
    supervisor,
    stockDispatch,
  });
  const native = await NativeConnection.connect({ address: engine.address });
  const connection = await Connection.connect({ address: engine.address });
  const worker = await Worker.create({
    connection: native,
    taskQueue: 'bench',
    workflowsPath: WORKFLOWS,
    activities: { noop: async () => {} },
  });
  const running = worker.run();
  const client = new Client({ connection });
  let count = 0;
  return {
    async run() {
      const started = performance.now();
      await client.workflow.execute('sixNoops', { taskQueue: 'bench', workflowId: `six-${count++}` });
      return performance.now() - started;
    },
    async stop() {
      worker.shutdown();
      await running;
      await connection.close();
      await native.close();
    },
  };
}
