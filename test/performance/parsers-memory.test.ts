/** Memory stays flat over inputs far larger than it: made while they are read, in every shape that streams. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import type { RandomAccess } from '../../src/parsers/contract.ts';
import { parseUpload } from '../../src/parsers/parse-upload.ts';
import { fakeParser, LIMITS } from '../parsers/helpers.ts';

/** What a run may hold beyond what was there before (3 to 5 MB were seen): one batch and the chunks in work. */
const BOUND_BYTES = 32 * 1024 * 1024;
const INPUT_BYTES = 200 * 1024 * 1024;
const SAMPLE_EVERY = 4;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** `head`, then `piece` with its number until INPUT_BYTES, then `tail`. Blocks repeat, so any range can be made. */
function generated(head: string, block: string, tail: string): RandomAccess {
  const body = Buffer.from(block);
  const count = Math.floor(INPUT_BYTES / body.length);
  const first = Buffer.from(head);
  const last = Buffer.from(tail);
  const size = first.length + count * body.length + last.length;
  async function* stream(offset: number, length = size - offset): AsyncGenerator<Buffer> {
    let at = offset;
    const end = Math.min(size, offset + length);
    while (at < end) {
      let chunk: Buffer;
      if (at < first.length) chunk = first.subarray(at);
      else if (at < size - last.length) chunk = Buffer.from(body.subarray((at - first.length) % body.length));
      else chunk = last.subarray(at - (size - last.length));
      chunk = chunk.subarray(0, end - at);
      at += chunk.length;
      yield chunk;
    }
  }
  return {
    size,
    stream,
    async read(offset, length) {
      const parts: Buffer[] = [];
      for await (const part of stream(offset, Math.min(length, size - offset))) parts.push(part);
      return Buffer.concat(parts);
    },
    close: async () => {},
  };
}

const one = (id: number) =>
  JSON.stringify({ id, text: `Zwölf Boxkämpfer number ${id} `.repeat(12), tags: ['a', { b: 1 }] });
const values = Array.from({ length: 500 }, (_, id) => one(id));
const shapes: [string, () => RandomAccess][] = [
  ['lines.ndjson', () => generated('', `${values.join('\n')}\n`, '{"id":0}\n')],
  ['array.json', () => generated('[', `${values.join(',')},`, '{"id":0}]')],
  ['collection.json', () => generated('{"total":1,"records":[', `${values.join(',\n')},`, '{"id":0}],"after":2}')],
  [
    'rows.csv',
    () => generated('Id,Text\n', values.map((value) => `1,"${value.replaceAll('"', '""')}"\n`).join(''), '2,x\n'),
  ],
];

test.each(shapes)('200 MB of %s in bounded memory', async (filename, make) => {
  const access = make();
  collect();
  const before = held();
  let peak = 0;
  let records = 0;
  let batches = 0;
  for await (const batch of parseUpload(access, { source: fakeParser(), filename, limits: LIMITS })) {
    records += batch.records.length;
    batches += 1;
    expect(batch.errors).toEqual([]);
    // What is garbage already is not held.
    if (batches % SAMPLE_EVERY === 0) collect();
    if (batches % SAMPLE_EVERY === 0) peak = Math.max(peak, held() - before);
  }
  expect(access.size).toBeGreaterThan(INPUT_BYTES * 0.99);
  expect(records).toBeGreaterThan(300_000);
  expect(batches).toBeGreaterThan(100);
  expect(peak).toBeGreaterThan(0);
  expect(peak).toBeLessThan(BOUND_BYTES);
});

function held(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
