/** Structural checks read little and say what an upload holds. */
import { expect, test } from 'vitest';
import type { RandomAccess } from '../../src/parsers/contract.ts';
import { inspectUpload } from '../../src/parsers/inspect.ts';
import { parseLimits } from '../../src/parsers/limits.ts';
import { bufferAccess } from '../../src/parsers/readers/access.ts';
import { loadConfig } from '../../src/schema/config.ts';
import { fakeParser, LIMITS, pdfOf, zipOf } from './helpers.ts';

const options = (filename: string) => ({ filename, source: fakeParser(), limits: LIMITS });

test.each([
  ['a.bin', Buffer.from('[{"id":1}]'), 'json'],
  ['a.bin', Buffer.from('\ufeff {"id":1}\n'), 'json'],
  ['a.bin', Buffer.from('{"id":1}\n{"id":2}\n'), 'ndjson'],
  ['a.jsonl', Buffer.from('{"id":1}'), 'ndjson'],
  ['a.json', Buffer.from('Id,Name\n1,2'), 'csv'],
  ['a.json', Buffer.from('Id\tName\n1\t2'), 'csv'],
  ['a.json', Buffer.from('MZ,BZh\n1,2'), 'csv'],
  ['a.json', pdfOf(['x']), 'pdf'],
])('%s is told by its content', async (filename, bytes, format) => {
  const found = await inspectUpload(bufferAccess(bytes), options(filename));
  expect(found).toEqual({ format, entries: 1, unpacked_bytes: bytes.length });
});

test('an archive counts the entries worth reading', async () => {
  const zip = await zipOf({ 'a.json': '[{"id":1}]', 'b.png': 'x', 'c/d.csv': 'Id,Name\n', '__MACOSX/e.json': '' });
  expect(await inspectUpload(bufferAccess(zip), options('a.zip'))).toEqual({
    format: 'zip',
    entries: 2,
    unpacked_bytes: 18,
  });
});

test("a source's own name works as well", async () => {
  const found = inspectUpload(bufferAccess(Buffer.from('Id,Name\n1,2')), {
    filename: 'a.csv',
    source: 'slack',
    limits: LIMITS,
  });
  await expect(found).rejects.toMatchObject({ code: 'wrong_type' });
});

test('a large upload is not read through', async () => {
  let read = 0;
  const bytes = Buffer.from(`[${'{"id":1},'.repeat(1_000_000)}{"id":2}]`);
  const inner = bufferAccess(await zipOf({ 'a.json': bytes }, { compress: false }));
  const counting: RandomAccess = {
    ...inner,
    read: async (offset, length) => {
      const part = await inner.read(offset, length);
      read += part.length;
      return part;
    },
    async *stream(offset, length) {
      for await (const part of inner.stream(offset, length)) {
        read += part.length;
        yield part;
      }
    },
  };
  await inspectUpload(counting, options('a.zip'));
  expect(inner.size).toBeGreaterThan(8_000_000);
  expect(read).toBeLessThan(2_000_000);
});

test('limits come from the settings', () => {
  const config = loadConfig({ env: { MAX_RECORD_BYTES: '1000', MAX_ARCHIVE_RATIO: '50' }, cwd: import.meta.dirname });
  expect(parseLimits(config)).toMatchObject({
    max_record_bytes: 1000,
    max_ratio: 50,
    max_entries: 1_000_000,
    max_json_depth: 64,
  });
});
