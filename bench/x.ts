import { randomUUID } from 'node:crypto';
import { defineSearchAttributeKey, SearchAttributeType, TypedSearchAttributes } from '@temporalio/common';
import { median } from './row.ts';
import { openBench } from './tasks/stand.ts';

const bench = await openBench({ MAX_CONCURRENT_TASKS: '400' });
const sa = () =>
  new TypedSearchAttributes(
    ['OstinatoKind', 'OstinatoRoom', 'OstinatoOwner', 'OstinatoResource'].map((n) => ({
      key: defineSearchAttributeKey(names[n]!, SearchAttributeType.KEYWORD),
      value: `v-${randomUUID()}`,
    })),
  );

import { SEARCH_ATTRIBUTES } from '../src/schema/names.ts';

const S = SEARCH_ATTRIBUTES as Record<string, string>;
const names: Record<string, string> = {
  OstinatoKind: S.kind!,
  OstinatoRoom: S.room!,
  OstinatoOwner: S.owner!,
  OstinatoResource: S.resource!,
};
const sa1 = () =>
  new TypedSearchAttributes([
    { key: defineSearchAttributeKey(S.owner!, SearchAttributeType.KEYWORD), value: `v-${randomUUID()}` },
  ]);
await bench.database.query('CREATE TABLE x (id serial, t text)');
const variants: Record<string, () => Promise<object>> = {
  bare: async () => ({}),
  sa4: async () => ({ typedSearchAttributes: sa() }),
  sa1: async () => ({ typedSearchAttributes: sa1() }),
  memo: async () => ({ memo: { owner: 'a', room: 'tasks', resource: randomUUID() } }),
  all: async () => ({
    typedSearchAttributes: sa(),
    memo: { owner: 'a', room: 'tasks', resource: randomUUID() },
    workflowIdReusePolicy: 'REJECT_DUPLICATE',
  }),
  pg: async () => {
    await bench.database.query("INSERT INTO x (t) VALUES ('a')");
    return {};
  },
};
const times: Record<string, number[]> = {};
const starts: Record<string, number[]> = {};
for (let round = 0; round < 60; round++) {
  for (const [name, opts] of Object.entries(variants)) {
    const id = randomUUID();
    const o = await opts();
    const t0 = performance.now();
    await new Promise<void>((resolve) => {
      bench.onBare((x) => {
        if (x === id) {
          (times[name] ??= []).push(performance.now() - t0);
          resolve();
        }
      });
      bench.client.workflow
        .start('bareTask', { taskQueue: 'bench', workflowId: `bare-${id}`, args: [id], ...o })
        .then(() => (starts[name] ??= []).push(performance.now() - t0));
    });
    await bench.client.workflow.getHandle(`bare-${id}`).result();
    await new Promise((r) => setTimeout(r, 30));
  }
}
for (const n of Object.keys(variants))
  console.log(n, 'heard', median(times[n]!).toFixed(1), 'started', median(starts[n]!).toFixed(1));
await bench.close();
process.exit(0);
