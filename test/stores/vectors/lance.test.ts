/** The embedded vector index: the common contract, and what its files must and must not hold. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@lancedb/lancedb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openLance } from '../../../src/stores/vectors/lance.ts';
import { vectorIndexContract } from './contract.ts';
import { DIMENSIONS, row, unit } from './rows.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'vectors-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const open = (name: string, writable = true, dimensions = DIMENSIONS) =>
  openLance({ folder: join(root, name), dimensions, writable });

vectorIndexContract('lancedb', () => open('contract'));

test('a reader sees an absent table as empty, then every finished write at once', async () => {
  const reader = await open('readers', false);
  expect(await reader.count()).toBe(0);
  expect(await reader.search(unit('x'), 3, {})).toEqual([]);
  const writer = await open('readers');
  for (let at = 0; at < 50; at += 1) {
    await writer.upsert([row('readers', at)]);
    expect(await reader.count()).toBe(at + 1);
  }
  await writer.deleteIds([row('readers', 0).id]);
  expect(await reader.count()).toBe(49);
  await writer.compact();
  expect(await reader.search(unit('x'), 100, {})).toHaveLength(49);
  await expect(reader.upsert([row('readers', 1)])).rejects.toMatchObject({ code: 'internal' });
  await writer.close();
  await reader.close();
});

test('searches go on while the writer folds and deletes', async () => {
  const writer = await open('folding');
  const reader = await open('folding', false);
  const keep = Array.from({ length: 40 }, (_, at) => row('keep', at));
  await writer.upsert(keep);
  const state = { writing: true };
  const searching = (async () => {
    for (let searches = 0; state.writing || searches < 20; searches += 1) {
      expect(await reader.search(unit('x'), 100, { owners: ['keep'] })).toHaveLength(40);
    }
  })();
  for (let round = 0; round < 12; round += 1) {
    await writer.upsert([row('drop', round)]);
    await writer.deleteIds([row('drop', round).id]);
    await writer.compact();
  }
  state.writing = false;
  await searching;
  await writer.close();
  await reader.close();
});

test('deleted and replaced text is unreadable on disk after a compaction', async () => {
  const writer = await open('forget');
  const rows = Array.from({ length: 500 }, (_, at) => row('forget', at, { author: `Known Author ${at}.` }));
  await writer.upsert(rows);
  await writer.compact();
  expect(await filesHolding('forget', 'Known Author 123.')).not.toEqual([]);
  await writer.deleteIds([row('forget', 123).id]);
  await writer.upsert([row('forget', 321, { author: 'Somebody Else' })]);
  await writer.compact();
  expect(await filesHolding('forget', 'Known Author 123.')).toEqual([]);
  expect(await filesHolding('forget', row('forget', 123).id)).toEqual([]);
  expect(await filesHolding('forget', row('forget', 123).content_hash)).toEqual([]);
  expect(await filesHolding('forget', Buffer.from(row('forget', 123).vector.buffer))).toEqual([]);
  expect(await filesHolding('forget', 'Known Author 321.')).toEqual([]);
  expect(await filesHolding('forget', 'Known Author 124.')).not.toEqual([]);
  expect(await writer.count()).toBe(499);
  expect(await writer.search(unit('x'), 1000, { author: 'Known Author 124.' })).toHaveLength(1);
  await writer.close();
});

test('keeps the files few however many commits there are', async () => {
  const writer = await open('commits');
  for (let at = 0; at < 130; at += 1) await writer.upsert([row('commits', at)]);
  expect((await readdir(join(root, 'commits', 'DataContent.lance', 'data'))).length).toBeLessThan(60);
  await writer.compact();
  expect((await readdir(join(root, 'commits', 'DataContent.lance', 'data'))).length).toBeLessThan(4);
  expect(await writer.count()).toBe(130);
  await writer.close();
});

test('a large table is searched through an index, which grows with it and finds what a full comparison finds', async () => {
  const folder = join(root, 'indexed');
  const writer = await openLance({ folder, dimensions: DIMENSIONS, writable: true, indexFromRows: 6_000 });
  // Forty topics with some noise, as texts have them: among vectors without any structure no index is reliable.
  const topical = (name: string, at: number) => {
    const [topic, noise] = [unit(`topic ${at % 40}`), unit(name)];
    const sum = topic.map((value, i) => value + 0.5 * (noise[i] ?? 0));
    const length = Math.hypot(...sum);
    return sum.map((value) => value / length);
  };
  const rows = Array.from({ length: 14_000 }, (_, at) => ({
    ...row('indexed', at),
    vector: topical(`row ${at}`, at),
  }));
  await writer.upsert(rows.slice(0, 7_000));
  await writer.compact();
  const indexes = async () => {
    const table = await (await connect(folder)).openTable('DataContent');
    return (await table.listIndices()).map((index) => index.name).filter((name) => name.startsWith('vector_'));
  };
  expect(await indexes()).toEqual(['vector_7000']);
  await writer.upsert(rows.slice(7_000));
  await writer.deleteIds([row('indexed', 5).id]);
  await writer.upsert(rows.slice(5, 6));
  await writer.compact();
  expect(await indexes()).toEqual(['vector_14000']);
  for (const source of [undefined, 'slack'] as const) {
    let hits = 0;
    for (let at = 0; at < 20; at += 1) {
      const query = topical(`question ${at}`, at);
      const exact = rows
        .filter((each) => !source || each.source === source)
        .map((each) => ({
          id: each.id,
          score: each.vector.reduce((sum, value, i) => sum + value * (query[i] ?? 0), 0),
        }))
        .sort((a, b) => b.score - a.score)
        .slice(0, 10);
      const found = await writer.search(query, 10, source ? { sources: [source] } : {});
      hits += exact.filter(({ id }) => found.some((each) => each.id === id)).length;
    }
    expect(hits / 200).toBeGreaterThan(0.9);
  }
  const [itself] = await writer.search(rows[5]?.vector ?? unit('x'), 1, {});
  expect(itself?.id).toBe(row('indexed', 5).id);
  expect(
    await writer.search(unit('x'), 1_000, { sources: ['slack'], content_types: ['transcript'], author: 'author 2' }),
  ).not.toEqual([]);
  await writer.close();
});

test('refuses a table of other dimensions and says how to rebuild', async () => {
  await (await open('dimensions')).close();
  for (const writable of [true, false]) {
    const opening = open('dimensions', writable, 32);
    await expect(opening).rejects.toMatchObject({ code: 'conflict' });
    await expect(opening).rejects.toThrow(/24 dimensions.*makes 32.*remove that folder/s);
  }
});

/** Every file below the folder whose bytes hold `text`. */
async function filesHolding(name: string, text: string | Buffer): Promise<string[]> {
  const entries = await readdir(join(root, name), { recursive: true, withFileTypes: true });
  const holding: string[] = [];
  for (const entry of entries.filter((each) => each.isFile())) {
    const file = join(entry.parentPath, entry.name);
    if ((await readFile(file)).includes(text)) holding.push(file);
  }
  return holding;
}
