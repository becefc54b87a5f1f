import { randomUUID } from 'node:crypto';
import { median } from './row.ts';
import { openBench, startAgent, submit } from './tasks/stand.ts';

const bench = await openBench({ MAX_CONCURRENT_TASKS: '400' });
await startAgent(bench.system, 'listener', { concurrency: 5, onTask: () => {} });
const gaps: Record<string, number[][]> = {};
async function gap(name: string, id: string) {
  await bench.client.workflow
    .getHandle(id)
    .result()
    .catch(() => {});
  const h = await bench.client.workflow.getHandle(id).fetchHistory();
  const t = (h.events ?? []).map((e) => Number(e.eventTime?.seconds) * 1000 + (e.eventTime?.nanos ?? 0) / 1e6);
  (gaps[name] ??= []).push(t.slice(1).map((x, i) => x - t[i]!));
}
for (let round = 0; round < 60; round++) {
  let id = `bare-${randomUUID()}`;
  await bench.client.workflow.start('bareTask', { taskQueue: 'bench', workflowId: id, args: [id] });
  await gap('bare', id);
  await new Promise((r) => setTimeout(r, 30));
  id = `task-${randomUUID()}`;
  await bench.client.workflow.start('runTask', {
    taskQueue: 'ostinato-workflows',
    workflowId: id,
    args: [{ task_id: id, owner: 'x', attempt: 1, timeout_seconds: 60, assigned: true, in_place: true }],
  });
  await gap('direct', id);
  await new Promise((r) => setTimeout(r, 30));
  id = await submit(bench.system);
  await gap('http', id);
  await new Promise((r) => setTimeout(r, 60));
}
for (const [n, rows] of Object.entries(gaps))
  console.log(n, rows[0]!.map((_, i) => median(rows.map((r) => r[i] ?? 0)).toFixed(1)).join(' '));
await bench.close();
process.exit(0);
