/** Mutated uploads, by a fixed seed: nothing but Failure is thrown, nothing hangs, no record breaks the contract. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ParsedBatch } from '../../src/parsers/contract.ts';
import { inspectUpload } from '../../src/parsers/inspect.ts';
import { bufferAccess } from '../../src/parsers/readers/access.ts';
import { Failure } from '../../src/schema/failures.ts';
import { SOURCE_MAPPINGS, type Source } from '../../src/schema/names.ts';
import { choppedAccess, fakeParser, LIMITS, pdfOf, type Run, run, zipOf } from './helpers.ts';
import { seedUploads } from './seeds.ts';

const SEED = 20_261_121;
const limits = { ...LIMITS, max_record_bytes: 8 * 1024, max_json_depth: 12, max_unpacked_bytes: 4 * 1024 * 1024 };

/** Pieces that mean something to one reader or another. */
const TOKENS = [
  '"',
  '\\',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '\n',
  '\r\n',
  '\u0000',
  '\ufeff',
  '\\u0000',
  '\\ud800',
  'null',
  '-1e999',
  '""',
  ';',
  '\t',
  'é',
  '\xff',
  '[[[[[[[[[[[[[[',
  '{"a":',
];

type Mutation =
  | { kind: 'flip'; at: number; bits: number }
  | { kind: 'cut'; at: number; length: number }
  | { kind: 'insert'; at: number; token: string }
  | { kind: 'repeat'; at: number; length: number; times: number }
  | { kind: 'end'; at: number };

const place = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at: place, bits: fc.integer({ min: 1, max: 255 }) }),
  fc.record({ kind: fc.constant('cut' as const), at: place, length: fc.integer({ min: 1, max: 40 }) }),
  fc.record({ kind: fc.constant('insert' as const), at: place, token: fc.constantFrom(...TOKENS) }),
  fc.record({
    kind: fc.constant('repeat' as const),
    at: place,
    length: fc.integer({ min: 1, max: 60 }),
    times: fc.integer({ min: 1, max: 300 }),
  }),
  fc.record({ kind: fc.constant('end' as const), at: place }),
);
const mutations = fc.array(mutation, { minLength: 1, maxLength: 5 });

function mutate(bytes: Buffer, list: Mutation[]): Buffer {
  let out = Buffer.from(bytes);
  for (const one of list) {
    const at = Math.floor(one.at * out.length);
    if (one.kind === 'flip' && out.length > 0) out[at] = (out[at] ?? 0) ^ one.bits;
    else if (one.kind === 'cut') out = Buffer.concat([out.subarray(0, at), out.subarray(at + one.length)]);
    else if (one.kind === 'insert')
      out = Buffer.concat([
        out.subarray(0, at),
        Buffer.from(one.token, one.token === '\xff' ? 'latin1' : 'utf8'),
        out.subarray(at),
      ]);
    else if (one.kind === 'repeat') {
      const piece = out.subarray(at, at + one.length);
      out = Buffer.concat([out.subarray(0, at), ...Array.from({ length: one.times }, () => piece), out.subarray(at)]);
    } else if (one.kind === 'end') out = out.subarray(0, at);
  }
  return out;
}

function checkOutput({ batches, records, errors }: Run, source: Source): void {
  const types: readonly string[] = SOURCE_MAPPINGS[source].content_types;
  for (const record of records) {
    expect(types).toContain(record.content_type);
    expect(record.external_id).not.toBe('');
    expect(record.text.trim()).not.toBe('');
    for (const text of strings(record)) expect(text.includes('\0') || !text.isWellFormed(), text).toBe(false);
    expect(JSON.parse(JSON.stringify(record))).toEqual(record);
    if (record.occurred_at !== null) expect(record.occurred_at).toMatch(/^\d{4}-.*Z$/);
  }
  for (const error of errors) {
    expect(error.entry.isWellFormed() && error.message.isWellFormed()).toBe(true);
    expect(error.message + error.entry).not.toContain('\0');
    expect(error.message).not.toBe('');
  }
  expect(batches.at(-1)?.done).toBe(true);
  expect(batches.at(-1)?.resume).toMatchObject({ ordinal: records.length });
}

function strings(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [name, ...strings(inner)]);
}

/** Null when the upload was refused as a whole, by a Failure. */
async function attempt<T>(work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    expect(error, error instanceof Error ? String(error.stack) : '').toBeInstanceOf(Failure);
    return null;
  }
}

const behind = (batches: ParsedBatch[], index: number) => batches.slice(index + 1).flatMap((batch) => batch.records);

async function check(bytes: Buffer, filename: string, source: Source | ReturnType<typeof fakeParser>, chunk: number) {
  const name = typeof source === 'string' ? source : source.source;
  await attempt(() => inspectUpload(bufferAccess(bytes), { filename, source, limits }));
  const whole = await attempt(() => run(bytes, { filename, source, limits, batchRecords: 2 }));
  const chopped = await attempt(() => run(choppedAccess(bytes, chunk), { filename, source, limits, batchRecords: 2 }));
  expect(chopped?.records).toEqual(whole?.records);
  expect(chopped?.errors).toEqual(whole?.errors);
  if (whole === null) return;
  checkOutput(whole, name);
  const middle = Math.floor(whole.batches.length / 2);
  const resume = whole.batches[middle]?.resume;
  if (resume === undefined) return;
  const rest = await run(bytes, { filename, source, limits, batchRecords: 2, resume });
  expect(rest.records).toEqual(behind(whole.batches, middle));
  expect(rest.batches.at(-1)?.resume).toEqual(whole.batches.at(-1)?.resume);
}

describe('readers', async () => {
  const values = Array.from({ length: 12 }, (_, id) => ({ id, text: `é "${id}" \\ 😀`, a: [{ b: [id] }] }));
  const inputs: [string, Buffer][] = [
    ['array.json', Buffer.from(JSON.stringify(values, null, 1))],
    ['collection.json', Buffer.from(JSON.stringify({ a: 1, records: values, b: { c: [2] } }))],
    ['lines.ndjson', Buffer.from(values.map((value) => JSON.stringify(value)).join('\n'))],
    [
      'rows.csv',
      Buffer.from(
        `Id;Name;Name\n${values.map(({ id, text }) => `${id};"${text.replaceAll('"', '""')}";\r\n`).join('')}`,
      ),
    ],
    ['pages.pdf', pdfOf(['one', 'two'])],
    [
      'all.zip',
      await zipOf({
        'a.json': JSON.stringify(values),
        'b/c.csv': 'Id,Name\n1,2\n',
        'users.json': '[{"id":"account","name":"T"}]',
      }),
    ],
    [
      'stored.zip',
      await zipOf(
        { 'a.json': JSON.stringify(values), 'b.ndjson': '{"id":1}\n{"id":2}' },
        { compress: false, forceZip64Format: true },
      ),
    ],
  ];
  test.each(inputs)('%s', async (filename, bytes) => {
    const numRuns = filename.endsWith('.pdf') ? 60 : 250;
    const property = fc.asyncProperty(mutations, fc.integer({ min: 1, max: 200 }), (list, chunk) =>
      check(mutate(bytes, list), filename, fakeParser(), chunk),
    );
    await fc.assert(property, { seed: SEED, numRuns });
  });
});

describe('sources', async () => {
  const uploads = await seedUploads();
  test.each(uploads)('%s %s, as it is', async (source, filename, bytes) => {
    const whole = await run(bytes, { filename, source, limits });
    expect(whole.records.length).toBeGreaterThan(0);
    expect(whole.errors).toEqual([]);
    checkOutput(whole, source);
  });

  test.each(uploads)('%s %s, mutated', async (source, filename, bytes) => {
    const numRuns = filename.endsWith('.pdf') ? 40 : 150;
    const property = fc.asyncProperty(mutations, (list) => check(mutate(bytes, list), filename, source, 50));
    await fc.assert(property, { seed: SEED, numRuns });
  });
});
