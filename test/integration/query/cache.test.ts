/** Cached answers: given while their content stands, never a moment longer; every query is logged and told. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Principal } from '../../../src/schema/principal.ts';
import { QueryInput } from '../../../src/schema/query.ts';
import { search } from '../../../src/services/search/search.ts';
import { openCache } from '../../../src/stores/cache/index.ts';
import { bumpContentVersion, readContentVersions } from '../../../src/stores/content-versions.ts';
import { BEGINNING } from '../../../src/stores/event-position.ts';
import { readEvents } from '../../../src/stores/events.ts';
import { pruneQueryCache } from '../../../src/stores/query-cache.ts';
import { land, openStage, principal, type Stage } from './stage.ts';

const NOW = Date.parse('2025-03-19T12:00:00Z');
const ana = principal('ana');
let stage: Stage;
let word: string;

beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());
beforeEach(async () => {
  word = `w${randomUUID().slice(0, 8)}`;
  await land(stage.deps, 'ana', 'slack', [
    { external_id: word, content_type: 'message', occurred_at: '2025-03-12T09:00:00Z', text: `first ${word}` },
  ]);
});

const ask = (input: Record<string, unknown>, options: { who?: Principal; now?: number; deps?: Stage['deps'] } = {}) =>
  search(options.deps ?? stage.deps, options.who ?? ana, QueryInput.parse(input), options.now ?? NOW);
/** The store in Postgres happens behind the answer. */
const stored = () =>
  expect
    .poll(async () => (await stage.deps.db.selectFrom('query_cache').select('cache_key').execute()).length)
    .toBeGreaterThan(0);

describe('cached answers', () => {
  test('the same words in other case and spacing hit, with the same results under a new query id', async () => {
    const first = await ask({ query: `First ${word}` });
    const second = await ask({ query: `  first   ${word.toUpperCase()} ` });
    expect([first.cache_hit, second.cache_hit]).toEqual([false, true]);
    expect(second.results).toEqual(first.results);
    expect(second.query_id).not.toBe(first.query_id);
  });

  test.each([
    ['mode', { mode: 'keyword' }],
    ['limit', { limit: 3 }],
    ['sources', { sources: ['slack'] }],
    ['content_types', { content_types: ['message'] }],
    ['from', { from: '2025-01-01' }],
    ['author', { author: 'x' }],
  ])('another %s misses', async (_, more) => {
    await ask({ query: word });
    expect((await ask({ query: word, ...more })).cache_hit).toBe(false);
  });

  test('another caller never gets an answer made for one who sees other content', async () => {
    await ask({ query: word });
    const other = await ask({ query: word }, { who: principal('boris') });
    expect(other.cache_hit).toBe(false);
    expect(other.results).toEqual([]);
  });

  test('new content of its sources makes it stale at once; content of other sources does not', async () => {
    await ask({ query: word, sources: ['slack'], mode: 'keyword' });
    await land(stage.deps, 'ana', 'gong', [{ external_id: word, content_type: 'transcript', text: `second ${word}` }]);
    expect((await ask({ query: word, sources: ['slack'], mode: 'keyword' })).cache_hit).toBe(true);
    const all = await ask({ query: word, mode: 'keyword' });
    expect(all.results).toHaveLength(2);
    await land(stage.deps, 'ana', 'slack', [
      { external_id: `${word}-2`, content_type: 'message', text: `third ${word}` },
    ]);
    const after = await ask({ query: word, sources: ['slack'], mode: 'keyword' });
    expect(after.cache_hit).toBe(false);
    expect(after.results).toHaveLength(2);
  });

  test('content of an owner out of sight does not disturb it', async () => {
    await ask({ query: word });
    await bumpContentVersion(stage.deps.db, 'boris', 'slack');
    expect((await ask({ query: word })).cache_hit).toBe(true);
    await bumpContentVersion(stage.deps.db, 'ana', 'slack');
    expect((await ask({ query: word })).cache_hit).toBe(false);
  });

  test('a bump counts from its commit, also while another process holds the answer', async () => {
    const elsewhere = { ...stage.deps, cache: openCache(stage.deps.config) };
    await ask({ query: word });
    await stored();
    expect((await ask({ query: word }, { deps: elsewhere })).cache_hit).toBe(true);
    await stage.deps.db.transaction().execute(async (trx) => {
      await bumpContentVersion(trx, 'ana', 'slack');
      expect((await ask({ query: word }, { deps: elsewhere })).cache_hit).toBe(true);
    });
    expect((await ask({ query: word }, { deps: elsewhere })).cache_hit).toBe(false);
    await elsewhere.cache.close();
  });

  test('content that lands during a search leaves its answer stale', async () => {
    const { embedder } = stage.deps;
    if (!embedder) throw new Error('the stage has an embedder');
    const slow = {
      ...embedder,
      name: embedder.name,
      dimensions: embedder.dimensions,
      close: async () => {},
      async embed(texts: string[]) {
        await land(stage.deps, 'ana', 'slack', [
          { external_id: `${word}-late`, content_type: 'message', text: `late ${word}` },
        ]);
        return embedder.embed(texts);
      },
    };
    await ask({ query: word }, { deps: { ...stage.deps, embedder: slow } });
    expect((await ask({ query: word })).cache_hit).toBe(false);
  });

  test('relative dates are cached by what they mean', async () => {
    await ask({ query: `${word} last week` });
    expect((await ask({ query: `${word} last week` }, { now: NOW + 3_600_000 })).cache_hit).toBe(true);
    expect((await ask({ query: `${word} last week` }, { now: NOW + 7 * 86_400_000 })).cache_hit).toBe(false);
    expect((await ask({ query: word, from: '2025-03-10', to: '2025-03-16' })).cache_hit).toBe(true);
  });

  test('the versions of many owners and sources change with each of them', async () => {
    const { db } = stage.deps;
    const before = await readContentVersions(db, null, null);
    await bumpContentVersion(db, 'nobody-yet', 'looker');
    expect(await readContentVersions(db, null, null)).not.toBe(before);
    expect(await readContentVersions(db, ['nobody-yet'], ['looker'])).toBe('1');
    expect(await readContentVersions(db, ['nobody-yet'], ['slack'])).toBe('0');
  });

  test('expired entries are neither given nor kept', async () => {
    const { db } = stage.deps;
    await ask({ query: word });
    await stored();
    await db
      .updateTable('query_cache')
      .set({ created_at: new Date(Date.now() - 2 * 3_600_000) })
      .execute();
    const elsewhere = { ...stage.deps, cache: openCache(stage.deps.config) };
    expect((await ask({ query: word }, { deps: elsewhere })).cache_hit).toBe(false);
    await elsewhere.cache.close();
    await db
      .updateTable('query_cache')
      .set({ created_at: new Date(Date.now() - 2 * 3_600_000) })
      .execute();
    expect(await pruneQueryCache(db)).toBeGreaterThan(0);
    expect(await db.selectFrom('query_cache').selectAll().execute()).toEqual([]);
  });
});

describe('what is told of a query', () => {
  test('one event with exactly its fields and one row, for a miss and for a hit', async () => {
    const first = await ask({ query: ` ${word}`, sources: ['slack', 'gong'] });
    const second = await ask({ query: word });
    await ask({ query: word });
    const told = async () =>
      (await readEvents(stage.deps.db, { after: BEGINNING, owners: ['ana'], limit: 10_000 })).events.filter(
        (event) => event.data.query_text === word,
      );
    // Events show once no older transaction runs; a cache entry may still be on its way into its table.
    await expect.poll(async () => (await told()).length).toBe(3);
    const events = await told();
    expect(events.map((event) => event.data)).toEqual([
      {
        query_id: first.query_id,
        query_text: word,
        sources: ['slack', 'gong'],
        result_count: first.result_count,
        response_time_ms: expect.any(Number),
        cache_hit: false,
      },
      {
        query_id: second.query_id,
        query_text: word,
        sources: ['all'],
        result_count: second.result_count,
        response_time_ms: expect.any(Number),
        cache_hit: false,
      },
      expect.objectContaining({ cache_hit: true }),
    ]);
    expect(events.every((event) => event.name === 'query.executed' && event.owner === 'ana')).toBe(true);
    expect(events.every((event) => Number.isInteger(event.data.response_time_ms))).toBe(true);
    const rows = await stage.deps.db
      .selectFrom('query_log')
      .selectAll()
      .where('normalized', '=', word)
      .orderBy('at')
      .execute();
    expect(rows.map((row) => [row.query_id, row.mode, row.cache_hit])).toEqual(
      events.map((event) => [event.data.query_id, 'hybrid', event.data.cache_hit]),
    );
  });

  test('hits and misses are counted by mode', async () => {
    const count = async (cache: string) =>
      (await stage.deps.metrics.queries.get()).values.find(
        (value) => value.labels.mode === 'keyword' && value.labels.cache === cache,
      )?.value ?? 0;
    const before = [await count('hit'), await count('miss')];
    for (let round = 0; round < 3; round += 1) await ask({ query: word, mode: 'keyword' });
    expect([await count('hit'), await count('miss')]).toEqual([(before[0] ?? 0) + 2, (before[1] ?? 0) + 1]);
  });
});
