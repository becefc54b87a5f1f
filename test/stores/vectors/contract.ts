/** The contract of VectorIndex as tests, run over every implementation. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { VectorFilter, VectorIndex, VectorRow } from '../../../src/stores/contract.ts';
import { DIMENSIONS, row, unit, uuid } from './rows.ts';

/** `open` makes an index of its own with nothing in it. */
export function vectorIndexContract(name: string, open: () => Promise<VectorIndex>): void {
  describe(`${name} keeps the vector index contract`, () => {
    let index: VectorIndex;
    beforeAll(async () => {
      index = await open();
      return () => index.close();
    });
    const all = (owner: string): VectorFilter => ({ owners: [owner] });

    test('is empty at first and answers a ping', async () => {
      await index.ping();
      expect(await index.count()).toBe(0);
      expect(await index.search(unit('x'), 5, {})).toEqual([]);
      expect(await scanned(index)).toEqual(new Map());
    });

    test('finds the nearest by cosine, best first, with its similarity', async () => {
      const rows = Array.from({ length: 300 }, (_, at) => row('near', at));
      await index.upsert(rows);
      const query = unit('a question');
      const best = rows
        .map((each) => ({ id: each.id, score: cosine(each.vector, query) }))
        .sort((a, b) => b.score - a.score)
        .slice(0, 10);
      const found = await index.search(query, 10, all('near'));
      expect(found.map((each) => each.id)).toEqual(best.map((each) => each.id));
      found.forEach((each, at) => {
        expect(each.score).toBeCloseTo(best[at]?.score ?? Number.NaN, 4);
      });
      const itself = await index.search(rows[42]?.vector ?? query, 1, all('near'));
      expect(itself[0]?.id).toBe(rows[42]?.id);
      expect(itself[0]?.score).toBeCloseTo(1, 4);
      const longer = Float32Array.from(query, (value) => value * 7);
      expect((await index.search(longer, 10, all('near'))).map((each) => each.id)).toEqual(best.map((each) => each.id));
    });

    test('filters by each field and by all together', async () => {
      const rows = Array.from({ length: 210 }, (_, at) => row('filter', at));
      await index.upsert([...rows, row('filter-b', 1)]);
      const from = 1_700_000_000_050;
      const to = 1_700_000_000_060;
      const filters: [VectorFilter, (each: VectorRow) => boolean][] = [
        [{}, () => true],
        [{ sources: ['slack'] }, (each) => each.source === 'slack'],
        [{ sources: ['slack', 'gong'] }, () => true],
        [{ content_types: ['transcript'] }, (each) => each.content_type === 'transcript'],
        [{ author: 'author 3' }, (each) => each.author === 'author 3'],
        [{ from }, (each) => each.occurred_at !== null && each.occurred_at >= from],
        [{ to }, (each) => each.occurred_at !== null && each.occurred_at < to],
        [{ from, to }, (each) => each.occurred_at !== null && each.occurred_at >= from && each.occurred_at < to],
        [
          { sources: ['gong'], content_types: ['message'], author: 'author 2', from },
          (each) =>
            each.source === 'gong' &&
            each.content_type === 'message' &&
            each.author === 'author 2' &&
            each.occurred_at !== null &&
            each.occurred_at >= from,
        ],
        [{ author: 'nobody' }, () => false],
        [{ sources: [] }, () => false],
        [{ content_types: [] }, () => false],
      ];
      for (const [filter, wanted] of filters) {
        const found = await index.search(unit('filter'), 500, { owners: ['filter'], ...filter });
        const expected = rows.filter(wanted).map((each) => each.id);
        expect(new Set(found.map((each) => each.id)), JSON.stringify(filter)).toEqual(new Set(expected));
        expect(found).toHaveLength(expected.length);
      }
      expect(await index.search(unit('filter'), 500, { owners: [] })).toEqual([]);
      expect(await index.search(unit('filter'), 500, { owners: ['filter', 'filter-b'] })).toHaveLength(211);
    });

    test('takes any text in a filter as text', async () => {
      const authors = [`O'Neil`, `' OR 1=1 --`, `a\\'b`, `100%_`, `"quoted"`, 'zwölf 🙂', `\\`, `''`, 'a\nb', 'a b'];
      await index.upsert(authors.map((author, at) => row('text', at, { author })));
      for (const [at, author] of authors.entries()) {
        const found = await index.search(unit('text'), 50, { owners: ['text'], author });
        expect(
          found.map((each) => each.id),
          author,
        ).toEqual([row('text', at).id]);
      }
      expect(await index.search(unit('text'), 50, { owners: [`text' OR owner = 'near`] })).toEqual([]);
    });

    test('replaces by id, and a batch that names an id twice keeps the last', async () => {
      const before = await index.count();
      await index.upsert([
        row('replace', 1),
        row('replace', 2),
        row('replace', 1, { content_hash: 'aa', source: 'looker' }),
      ]);
      expect(await index.count()).toBe(before + 2);
      await index.upsert([row('replace', 2, { content_hash: 'bb', vector: unit('moved'), author: null })]);
      expect(await index.count()).toBe(before + 2);
      const hashes = await scanned(index);
      expect(hashes.get(row('replace', 1).id)).toBe('aa');
      expect(hashes.get(row('replace', 2).id)).toBe('bb');
      const [best] = await index.search(unit('moved'), 1, all('replace'));
      expect(best?.id).toBe(row('replace', 2).id);
      expect(await index.search(unit('moved'), 5, { ...all('replace'), sources: ['looker'] })).toHaveLength(1);
    });

    test('concurrent upserts of the same ids leave one row each', async () => {
      const before = await index.count();
      const rows = Array.from({ length: 200 }, (_, at) => row('busy', at));
      await Promise.all(
        Array.from({ length: 8 }, (_, turn) =>
          index.upsert(rows.slice(turn * 10, turn * 10 + 120).map((each) => ({ ...each, content_hash: `${turn}` }))),
        ),
      );
      await index.upsert(rows);
      expect(await index.count()).toBe(before + 200);
      const found = await index.search(unit('busy'), 1000, all('busy'));
      expect(found).toHaveLength(200);
      expect(new Set(found.map((each) => each.id)).size).toBe(200);
      const ids = await scannedList(index);
      expect(new Set(ids).size).toBe(ids.length);
      expect(ids).toHaveLength(await index.count());
    });

    test('deletes by id, and forgives what is absent', async () => {
      await index.upsert(Array.from({ length: 50 }, (_, at) => row('delete', at)));
      const before = await index.count();
      const gone = Array.from({ length: 30 }, (_, at) => row('delete', at).id);
      await index.deleteIds([...gone, uuid('never was')]);
      await index.deleteIds(gone);
      await index.deleteIds([]);
      expect(await index.count()).toBe(before - 30);
      const left = await index.search(unit('delete'), 100, all('delete'));
      expect(new Set(left.map((each) => each.id))).toEqual(
        new Set(Array.from({ length: 20 }, (_, at) => row('delete', at + 30).id)),
      );
      await index.upsert([row('delete', 0)]);
      expect(await index.search(unit('delete'), 100, all('delete'))).toHaveLength(21);
    });

    test('scans every row once, before and after a compaction', async () => {
      const rows = Array.from({ length: 2_500 }, (_, at) => row('scan', at));
      await index.upsert(rows);
      await index.deleteIds(rows.slice(0, 100).map((each) => each.id));
      for (let round = 0; round < 2; round += 1) {
        const ids = await scannedList(index);
        expect(ids).toHaveLength(await index.count());
        const hashes = await scanned(index);
        expect(hashes.size).toBe(ids.length);
        for (const [at, each] of rows.entries()) {
          expect(hashes.get(each.id)).toBe(at < 100 ? undefined : each.content_hash);
        }
        await index.compact();
      }
    });

    test('refuses what cannot be stored or compared, and stores nothing of it', async () => {
      const before = await index.count();
      const refused = { code: 'invalid_input' };
      const bad: Partial<VectorRow>[] = [
        { id: 'not-a-uuid' },
        { id: `${uuid('x')}' OR '1'='1` },
        { vector: new Float32Array(DIMENSIONS + 1).fill(1) },
        { vector: new Float32Array(DIMENSIONS) },
        { vector: new Float32Array(DIMENSIONS).fill(Number.NaN) },
        { occurred_at: 1.5 },
      ];
      for (const change of bad) {
        await expect(index.upsert([row('bad', 1), row('bad', 2, change)])).rejects.toMatchObject(refused);
      }
      await expect(index.deleteIds(['x'])).rejects.toMatchObject(refused);
      await expect(index.search(new Float32Array(3).fill(1), 5, {})).rejects.toMatchObject(refused);
      await expect(index.search(unit('x'), 0, {})).rejects.toMatchObject(refused);
      expect(await index.count()).toBe(before);
    });
  });
}

function cosine(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0);
}

async function scanned(index: VectorIndex): Promise<Map<string, string>> {
  const rows = new Map<string, string>();
  for await (const each of index.scan()) rows.set(each.id, each.content_hash);
  return rows;
}

async function scannedList(index: VectorIndex): Promise<string[]> {
  const ids: string[] = [];
  for await (const each of index.scan()) ids.push(each.id);
  return ids;
}
