/** Batches over mixed inputs: order, errors, and that a second run from any batch's end goes on as the first did. */
import { describe, expect, test } from 'vitest';
import type { RandomAccess } from '../../src/parsers/contract.ts';
import { bufferAccess } from '../../src/parsers/readers/access.ts';
import { choppedAccess, fakeParser, LIMITS, pdfOf, run, zipOf } from './helpers.ts';

const many = Array.from({ length: 57 }, (_, id) => ({
  id,
  text: `Zwölf "Boxkämpfer" \\ 😀 ${id}`,
  nested: [{ a: ['}'] }],
}));
const withFaults = many.map((value, index) => {
  if (index % 11 === 3) return '{"id": nope}';
  if (index % 13 === 5) return JSON.stringify({ ...value, text: '' });
  if (index % 17 === 7) return JSON.stringify({ ...value, times: 5 });
  if (index % 19 === 2) return JSON.stringify({ boom: true });
  return JSON.stringify(value);
});
const csv = `\ufeffId;Name\r\n${many.map(({ id }) => (id % 9 === 4 ? `${id};a;b` : `${id};"Zeile ""eins""\r\nÜber ${id}"`)).join('\r\n')}`;
const small = Object.fromEntries(
  many.map(({ id }) => [
    `channel/${id}.json`,
    id % 8 === 3 ? '[{"id":1},{"id":2' : JSON.stringify([{ id }, { id: `${id}b` }]),
  ]),
);

const inputs: Record<string, () => Promise<Buffer> | Buffer> = {
  'array.json': () => Buffer.from(`[\n${withFaults.join(',\n')},,{"id":"last"}]`),
  'pretty.json': () => Buffer.from(JSON.stringify(many, null, 2)),
  'collection.json': () =>
    Buffer.from(
      `{"first": 1, "records": [${withFaults.join(',')}], "second": {"b": [2]}, "records": [{"id":"x"},{"id":"y"}], "third": "\\u00e9"}`,
    ),
  'marked.json': () => Buffer.from(`\ufeff ${JSON.stringify(many)}`),
  'marked.csv': () => Buffer.from(`\ufeff"Id;x";Name\n1;2\n3;4`),
  'document.json': () => Buffer.from('{"id": 1, "times": 12, "text": "whole"}'),
  'lines.ndjson': () => Buffer.from(`${withFaults.join('\n')}\n\n{"id":"last"}`),
  'lines.json': () => Buffer.from(`${many.map((value) => JSON.stringify(value)).join('\r\n')}\r\n`),
  'broken.json': () => Buffer.from(`[${withFaults.slice(0, 20).join(',')},{"id":1]},{"id":2}]`),
  'cut.json': () => Buffer.from(`[${many.map((value) => JSON.stringify(value)).join(',')}`),
  'rows.csv': () => Buffer.from(csv),
  'pages.pdf': () => pdfOf(['one', 'two', 'three', 'four', 'five']),
  'small.zip': () => zipOf(small),
  'mixed.zip': () =>
    zipOf({
      'a/array.json': `[${withFaults.join(',')}]`,
      'a/users.json': '[{"id":"account","name":"T1"},{"id":"3","name":"Ada"},{"bad":]',
      'b/rows.csv': csv,
      'b/picture.png': 'png',
      'c/report.pdf': pdfOf(['one', 'two', 'three']),
      'c/fake.json': '<html></html>',
      'c/empty.json': '',
      'c/lines.jsonl': withFaults.join('\n'),
      'd/skip.json': 'not even JSON',
      'd/collection.json': `{"total":3,"records":[${withFaults.slice(0, 30).join(',')}]}`,
      'd/cut.json': '[{"id":1},{"id":2',
    }),
};

describe.each(Object.entries(inputs))('%s', (filename, make) => {
  test.each([
    [4, 1_000_000],
    [1000, 1_000_000],
    // A batch for nearly everything that is read, errors too.
    [1, 1],
  ])('goes on from every batch of %i records and %i bytes as the whole run did', async (batchRecords, batchBytes) => {
    const bytes = await make();
    const whole = await run(bytes, { filename, batchRecords, batchBytes });
    expect(whole.batches.length).toBeGreaterThan(0);
    expect(whole.batches.filter((batch) => batch.done)).toEqual([whole.batches.at(-1)]);
    for (const [index, batch] of whole.batches.entries()) {
      const rest = await run(bytes, { filename, batchRecords, batchBytes, resume: batch.resume });
      const behind = whole.batches.slice(index + 1);
      expect(rest.records).toEqual(behind.flatMap((one) => one.records));
      expect(rest.errors).toEqual(behind.flatMap((one) => one.errors));
      expect(rest.batches.at(-1)?.resume).toEqual(whole.batches.at(-1)?.resume);
    }
  });

  test.each([1, 2, 7, 64])('reads the same in chunks of %i bytes', async (size) => {
    const bytes = await make();
    const whole = await run(bytes, { filename });
    const chopped: RandomAccess = choppedAccess(bytes, size);
    const again = await run(chopped, { filename });
    expect(again.records).toEqual(whole.records);
    expect(again.errors).toEqual(whole.errors);
  });

  test('counts records, errors and bytes', async () => {
    const bytes = await make();
    const { batches, records, errors } = await run(bytes, { filename, batchRecords: 5 });
    const last = batches.at(-1);
    expect(last?.resume).toMatchObject({ ordinal: records.length, errors: errors.length });
    expect(last?.bytes_done).toBe(last?.bytes_total);
    const done = batches.map((batch) => batch.bytes_done);
    expect(done).toEqual([...done].sort((a, b) => a - b));
  });
});

test('an array keeps its good elements and names the bad ones by line', async () => {
  const text = '[\n{"id":1},\n{"id":2,},\n{"id":3,"text":"a\\u0000b"},\n{"id":4}\n]';
  const { records, errors } = await run(text, { filename: 'a.json' });
  expect(records.map((one) => one.external_id)).toEqual(['a.json:1:0', 'a.json:4:0']);
  expect(records.map((one) => one.metadata.line)).toEqual([2, 5]);
  expect(errors).toEqual([
    { entry: 'a.json', line: 3, message: 'not valid JSON at character 8' },
    { entry: 'a.json', line: 4, message: 'holds a NUL character (\\u0000)' },
  ]);
});

test('a collection sees the values before it and no others', async () => {
  const text = '{"a":1,"records":[{"id":1}],"b":{"c":2},"records":[{"id":2}],"d":3}';
  const { records } = await run(text, { filename: 'a.json' });
  expect(records.map((one) => [one.metadata.key, one.metadata.envelope])).toEqual([
    ['records', { a: 1 }],
    ['records', { a: 1, b: { c: 2 } }],
  ]);
});

test('look-ups are fed before the first record and again on resume', async () => {
  const zip = await zipOf({
    'a.json': '[{"id":3},{"id":4}]',
    'users.json': '[{"id":"3","name":"Ada"},{"id":"account","name":"T1"}]',
  });
  const whole = await run(zip, { filename: 'a.zip', batchRecords: 1 });
  expect(whole.records[0]).toMatchObject({ text: 'text 3 Ada', entry: 0 });
  expect(whole.batches.every((batch) => batch.account === 'T1')).toBe(true);
  const rest = await run(zip, { filename: 'a.zip', resume: { entry: 0, offset: 0, line: 1, ordinal: 0, errors: 0 } });
  expect(rest.records).toEqual(whole.records);
});

test("a parser's own exception costs one value", async () => {
  const { records, errors } = await run('[{"id":1},{"boom":true},{"id":2}]', { filename: 'a.json' });
  expect(records).toHaveLength(2);
  expect(errors).toEqual([{ entry: 'a.json', line: 1, message: 'could not be read: boom' }]);
});

test('lone surrogates are replaced and long texts reported', async () => {
  const { records, errors } = await run(
    '[{"id":1,"text":"half \\ud83d"},{"id":2,"text":"'.concat('x'.repeat(2000), '"}]'),
    { filename: 'a.json', limits: { ...LIMITS, max_record_bytes: 1000 } },
  );
  expect(records.map((one) => one.text)).toEqual(['half \ufffd']);
  expect(errors).toEqual([{ entry: 'a.json', line: 1, message: 'over 1000 bytes' }]);
});

test('errors are kept by name up to 100 and counted beyond', async () => {
  const { batches, errors } = await run(`[${'{"boom":true},'.repeat(300)}{"id":1}]`, { filename: 'a.json' });
  expect(errors).toHaveLength(100);
  expect(batches.at(-1)?.resume.errors).toBe(300);
  expect(batches[0]?.cause).toBe('malformed');
});

test('batches end by bytes of text too', async () => {
  const text = `[${Array.from({ length: 10 }, (_, id) => JSON.stringify({ id, text: 'x'.repeat(100) })).join(',')}]`;
  const { batches } = await run(text, { filename: 'a.json', batchBytes: 250 });
  expect(batches.map((batch) => batch.records.length)).toEqual([3, 3, 3, 1]);
});

test('a fault of the store is not a fault of the file', async () => {
  const zip = await zipOf(
    { 'a.json': '[{"id":1}]', 'b.json': `[${'{"id":1},'.repeat(200_000)}{"id":2}]` },
    { compress: false },
  );
  const broken: RandomAccess = {
    ...bufferAccess(zip),
    // biome-ignore lint/correctness/useYield: it fails before the first byte
    async *stream() {
      throw new Error('connection reset');
    },
  };
  await expect(run(broken, { filename: 'a.zip', source: fakeParser() })).rejects.toThrow('connection reset');
});
