/** The contract of ObjectStore as tests, run over every implementation. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { ObjectStore } from '../../../src/stores/contract.ts';

/** `open` makes a store of its own with nothing in it. */
export function objectStoreContract(name: string, open: () => Promise<ObjectStore>): void {
  describe(`${name} keeps the object store contract`, () => {
    let store: ObjectStore;
    beforeAll(async () => {
      store = await open();
      return () => store.close();
    });

    test('gives back what was put, whole and in ranges', async () => {
      const bytes = randomBytes(700_001);
      expect(await store.put('range/a.bin', bytes)).toEqual({ size: bytes.length });
      expect((await readAll(store, 'range/a.bin')).equals(bytes)).toBe(true);
      for (const [start, end] of [
        [0, 1],
        [0, bytes.length],
        [262_143, 262_145],
        [700_000, 700_001],
        [699_990, 800_000],
        [5, 5],
        [900_000, 900_010],
      ] as const) {
        const part = await collect(await store.get('range/a.bin', { start, end }));
        expect(part.equals(bytes.subarray(start, end)), `${start}-${end}`).toBe(true);
      }
    });

    test('takes streams of any chunking, and an empty one', async () => {
      const chunks = Array.from({ length: 50 }, (_, at) => randomBytes(1 + at * 997));
      const whole = Buffer.concat(chunks);
      expect(await store.put('stream', streamOf(chunks))).toEqual({ size: whole.length });
      expect((await readAll(store, 'stream')).equals(whole)).toBe(true);
      expect(await store.put('empty', streamOf([]))).toEqual({ size: 0 });
      expect(await readAll(store, 'empty')).toHaveLength(0);
      expect(await collect(await store.get('empty', { start: 0, end: 10 }))).toHaveLength(0);
    });

    test('a put that fails midway leaves nothing, and an older object as it was', async () => {
      await store.put('half/old', Buffer.from('old'));
      for (const key of ['half/old', 'half/new']) {
        await expect(store.put(key, failing(8 * 1024 * 1024))).rejects.toThrow('the line broke');
      }
      expect((await readAll(store, 'half/old')).toString()).toBe('old');
      expect(await store.stat('half/new')).toBeNull();
      await expect(store.get('half/new')).rejects.toMatchObject({ code: 'not_found' });
      expect(await keys(store, 'half/')).toEqual(['half/old']);
      expect(await store.sweepUnfinished(new Date(Date.now() + 60_000))).toBe(0);
    });

    test('an object is not visible before its stream has ended', async () => {
      const seen: unknown[] = [];
      await store.put(
        'late',
        (async function* () {
          yield randomBytes(6 * 1024 * 1024);
          seen.push(await store.stat('late'));
          yield Buffer.from('end');
        })(),
      );
      expect(seen).toEqual([null]);
      expect(await store.stat('late')).toMatchObject({ size: 6 * 1024 * 1024 + 3 });
    });

    test('replaces, stats, deletes, and forgives deleting what is absent', async () => {
      await store.put('one', Buffer.from('first'));
      await store.put('one', Buffer.from('second one'));
      const stat = await store.stat('one');
      expect(stat?.size).toBe(10);
      expect(Math.abs((stat?.modified.getTime() ?? 0) - Date.now())).toBeLessThan(300_000);
      await store.delete('one');
      expect(await store.stat('one')).toBeNull();
      await store.delete('one');
      await store.delete('never/was');
      await expect(store.get('one')).rejects.toMatchObject({ code: 'not_found' });
    });

    test('lists by prefix in byte order and deletes by prefix', async () => {
      const names = ['l/a', 'l/a-b', 'l/a.b/c', 'l/ab/c', 'l/ab/d/e', 'l/b', 'l-end'];
      for (const key of names) await store.put(key, Buffer.from(key));
      expect(await keys(store, 'l/')).toEqual([...names].sort().filter((key) => key.startsWith('l/')));
      expect(await keys(store, 'l/a')).toEqual(['l/a', 'l/a-b', 'l/a.b/c', 'l/ab/c', 'l/ab/d/e']);
      expect(await keys(store, 'l/ab/d/')).toEqual(['l/ab/d/e']);
      expect(await keys(store, 'no/such')).toEqual([]);
      for await (const entry of store.list('l/')) expect(entry.size).toBe(entry.key.length);
      expect(await store.deletePrefix('l/ab')).toBe(2);
      expect(await store.deletePrefix('l/')).toBe(4);
      expect(await store.deletePrefix('l/')).toBe(0);
      expect(await keys(store, 'l-')).toEqual(['l-end']);
    });

    test('moves, replacing what is there', async () => {
      await store.put('from/x', Buffer.from('moved'));
      await store.put('to/y', Buffer.from('replaced'));
      await store.move('from/x', 'to/y');
      expect(await store.stat('from/x')).toBeNull();
      expect((await readAll(store, 'to/y')).toString()).toBe('moved');
      await store.move('to/y', 'to/y');
      expect((await readAll(store, 'to/y')).toString()).toBe('moved');
      await expect(store.move('from/x', 'to/z')).rejects.toMatchObject({ code: 'not_found' });
    });

    test('takes over a finished file, and hands out files to read in place where it has them', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'objects-put-'));
      const bytes = randomBytes(300_001);
      for (const round of ['new', 'replaced']) {
        const file = join(folder, round);
        await writeFile(file, bytes);
        expect(await store.putFile('taken/over', file)).toEqual({ size: bytes.length });
        expect((await readAll(store, 'taken/over')).equals(bytes)).toBe(true);
        expect(await readdir(folder)).toEqual([]);
      }
      const local = await store.localFile('taken/over');
      expect(local === null).toBe(store.kind !== 'folder');
      if (local !== null) expect((await readFile(local)).equals(bytes)).toBe(true);
      await expect(store.localFile('taken/absent')).rejects.toMatchObject({ code: 'not_found' });
      const kept = join(folder, 'kept');
      await writeFile(kept, 'x');
      await expect(store.putFile('../away', kept)).rejects.toMatchObject({ code: 'invalid_input' });
      expect(await readdir(folder)).toEqual(['kept']);
      await expect(store.putFile('taken/from-nowhere', join(folder, 'absent'))).rejects.toThrow('ENOENT');
      expect(await store.stat('taken/from-nowhere')).toBeNull();
      await rm(folder, { recursive: true });
    });

    test('refuses keys that could lead elsewhere', async () => {
      const bad = [
        '',
        '/',
        '/a',
        'a/',
        'a//b',
        '.',
        '..',
        '../a',
        'a/../b',
        'a/./b',
        'a\\b',
        'a b',
        'a\0b',
        'ä',
        'a'.repeat(1025),
      ];
      for (const key of bad) {
        const refused = { code: 'invalid_input' };
        await expect(store.put(key, Buffer.from('x')), key).rejects.toMatchObject(refused);
        await expect(store.get(key), key).rejects.toMatchObject(refused);
        await expect(store.stat(key), key).rejects.toMatchObject(refused);
        await expect(store.delete(key), key).rejects.toMatchObject(refused);
        await expect(store.move('a', key), key).rejects.toMatchObject(refused);
        await expect(store.move(key, 'a'), key).rejects.toMatchObject(refused);
      }
      await expect(store.deletePrefix('../')).rejects.toMatchObject({ code: 'invalid_input' });
      await expect(store.get('a', { start: 3, end: 2 })).rejects.toMatchObject({ code: 'invalid_input' });
    });

    test('puts and deletes side by side do not disturb each other', async () => {
      await Promise.all(
        Array.from({ length: 40 }, async (_, at) => {
          const key = `busy/${at % 4}/${at}`;
          await store.put(key, Buffer.from(key));
          if (at % 2) await store.delete(key);
        }),
      );
      const left = Array.from({ length: 20 }, (_, at) => `busy/${(at * 2) % 4}/${at * 2}`);
      expect(await keys(store, 'busy/')).toEqual(left.sort());
    });

    test('answers a ping', async () => {
      await store.ping();
    });
  });
}

export async function collect(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function readAll(store: ObjectStore, key: string): Promise<Buffer> {
  return collect(await store.get(key));
}

async function keys(store: ObjectStore, prefix: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of store.list(prefix)) found.push(entry.key);
  return found;
}

async function* streamOf(chunks: Buffer[]): AsyncGenerator<Buffer> {
  yield* chunks;
}

async function* failing(bytes: number): AsyncGenerator<Buffer> {
  yield randomBytes(bytes);
  throw new Error('the line broke');
}
