/** Random access over a file and over a store behave alike. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RandomAccess } from '../../../src/parsers/contract.ts';
import { bufferAccess, fileAccess, objectAccess, readAhead } from '../../../src/parsers/readers/access.ts';

const bytes = Buffer.from(Array.from({ length: 1_000_003 }, (_, index) => (index * 7) % 251));
let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'access-'));
  await writeFile(join(folder, 'a'), bytes);
});
afterAll(() => rm(folder, { recursive: true }));

const store = {
  stat: async (key: string) => (key === 'a' ? { size: bytes.length, modified: new Date(0) } : null),
  get: async (_key: string, range?: { start: number; end: number }) =>
    bufferAccess(bytes).stream(range?.start ?? 0, (range?.end ?? bytes.length) - (range?.start ?? 0)),
};
const kinds: [string, () => Promise<RandomAccess>][] = [
  ['a file', () => fileAccess(join(folder, 'a'))],
  ['an object', () => objectAccess(store, 'a')],
  ['memory', async () => bufferAccess(bytes)],
];

describe.each(kinds)('%s', (_kind, open) => {
  test.each([
    [0, 10],
    [500_000, 400_000],
    [999_990, 100],
    [2_000_000, 5],
  ])('reads %i + %i', async (offset, length) => {
    const access = await open();
    expect(access.size).toBe(bytes.length);
    const wanted = bytes.subarray(offset, offset + length);
    expect(wanted.equals(await access.read(offset, length))).toBe(true);
    const parts: Buffer[] = [];
    for await (const part of access.stream(offset, length)) parts.push(part);
    expect(wanted.equals(Buffer.concat(parts))).toBe(true);
    await access.close();
  });

  test('streams to the end and can be left early', async () => {
    const access = await open();
    let size = 0;
    for await (const part of access.stream(17)) size += part.length;
    expect(size).toBe(bytes.length - 17);
    for await (const part of access.stream(0)) {
      expect(part.length).toBeGreaterThan(0);
      break;
    }
    await access.close();
  });
});

test('an absent object is not found', async () => {
  await expect(objectAccess(store, 'b')).rejects.toMatchObject({ code: 'not_found' });
});

test('small neighbouring reads cost one read of what lies below', async () => {
  let reads = 0;
  const counting = {
    ...bufferAccess(bytes),
    read: async (offset: number, length: number) => {
      reads += 1;
      return bytes.subarray(offset, offset + length);
    },
  };
  const window = readAhead(counting, 1000);
  for (let at = 0; at < 2000; at += 100)
    expect(bytes.subarray(at, at + 100).equals(await window.read(at, 100))).toBe(true);
  expect(reads).toBe(2);
  expect((await window.read(bytes.length - 5, 100)).length).toBe(5);
  expect(window.peek(0, 10)).toBeNull();
});
