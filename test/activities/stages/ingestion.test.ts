/** `data-ingestion` of files and rows: formats, what is found out, what is refused, what is kept aside. */
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type StageKit, stageKit } from './kit.ts';

let kit: StageKit;
beforeAll(async () => {
  kit = await stageKit();
  await kit.put('in/a.csv', 'id,name,n\n1,a,10\n2,b,20\n3,c,\n');
  await kit.put('in/bad.csv', 'id,name,n\n1,a,10\n2,b,x\n3,"c\n4",5\n5,d\n6,e,7,8\n7,f,9\n');
  await kit.put('in/bad.ndjson', '{"a":1}\n{"a":\n{"a":2,"b":[1,2]}\n[]\n');
});
afterAll(() => kit.close());

const read = async (config: Parameters<StageKit['run']>[1], more?: Parameters<StageKit['run']>[2]) => {
  const done = await kit.run('data-ingestion', config, more);
  return { ...done, rows: await kit.rows(done.dataset) };
};

describe('formats', () => {
  const three = [
    { id: '1', name: 'a', n: '10' },
    { id: '2', name: 'b', n: '20' },
    { id: '3', name: 'c', n: null },
  ];

  test('CSV, and the reference says what it became', async () => {
    const { dataset, rows, summary } = await read({ source: 'in/a.csv' });
    expect(rows).toEqual(three);
    expect(summary).toEqual({ rows: 3, columns: 3, files: 1, format: 'csv' });
    expect(dataset).toMatchObject({
      format: 'parquet',
      rows: 3,
      columns: [
        { name: 'id', type: 'BIGINT' },
        { name: 'name', type: 'VARCHAR' },
        { name: 'n', type: 'BIGINT' },
      ],
    });
    expect(dataset?.sha256).toBe(await kit.sha256(dataset?.key ?? ''));
    expect((await kit.deps.objects.stat(dataset?.key ?? ''))?.size).toBe(dataset?.bytes);
  });

  test('delimiters, quotes, null strings, no header, encodings, compression', async () => {
    await kit.put('f/semi.csv', 'id;name\n1;"x;y"\n2;-\n');
    expect((await read({ source: 'f/semi.csv', null_strings: ['-'] })).rows).toEqual([
      { id: '1', name: 'x;y' },
      { id: '2', name: null },
    ]);
    await kit.put('f/t.tsv', 'id\tname\n1\ta,b\n');
    expect((await read({ source: 'f/t.tsv' })).rows).toEqual([{ id: '1', name: 'a,b' }]);
    await kit.put('f/plain.csv', '1|x\n2|y\n');
    expect((await read({ source: 'f/plain.csv', delimiter: '|', header: false })).rows).toEqual([
      { column0: '1', column1: 'x' },
      { column0: '2', column1: 'y' },
    ]);
    await kit.put('f/latin.csv', Buffer.from('id;name\n1;M\xfcller\n', 'latin1'));
    expect((await read({ source: 'f/latin.csv', encoding: 'latin-1' })).rows).toEqual([{ id: '1', name: 'Müller' }]);
    await expect(read({ source: 'f/latin.csv' })).rejects.toMatchObject({
      code: 'invalid_encoding',
      message: expect.stringContaining('f/latin.csv, line 2'),
    });
    await kit.put('f/packed.csv.gz', gzipSync('id,name\n1,z\n'));
    expect((await read({ source: 'f/packed.csv.gz' })).rows).toEqual([{ id: '1', name: 'z' }]);
  });

  test('JSON as array, lines or one object, told by content where the name says nothing', async () => {
    for (const [key, text] of [
      ['j/array.json', '[{"a":1,"b":{"c":2}},{"a":2}]'],
      ['j/lines.ndjson', '{"a":1,"b":{"c":2}}\n{"a":2}\n'],
      ['j/lines.jsonl', '{"a":1,"b":{"c":2}}\n{"a":2}\n'],
      ['j/array', ' [{"a":1,"b":{"c":2}},{"a":2}]'],
      ['j/lines', '{"a":1,"b":{"c":2}}\n{"a":2}\n'],
    ] as const) {
      await kit.put(key, text);
      expect((await read({ source: key })).rows, key).toEqual([
        { a: '1', b: { c: '2' } },
        { a: '2', b: null },
      ]);
    }
    await kit.put('j/one', '{\n "a": 1\n}\n');
    expect((await read({ source: 'j/one' })).rows).toEqual([{ a: '1' }]);
  });

  test('Parquet, and types that the schema asks for', async () => {
    const made = await kit.dataset([{ id: 1, at: '2026-01-02' }]);
    const { dataset } = await kit.run(
      'data-ingestion',
      { source: made.key, schema: { id: 'DECIMAL(10,2)' } },
      { all_owners: true },
    );
    expect(dataset?.columns).toEqual([
      { name: 'id', type: 'DECIMAL(10,2)' },
      { name: 'at', type: 'DATE' },
    ]);
  });

  test('many files of one prefix are one dataset, in the order of their keys', async () => {
    await kit.put('many/2.csv', 'id,b\n2,x\n');
    await kit.put('many/1.csv', 'id\n1\n');
    await kit.put('many/empty.csv', '');
    const { rows, summary } = await read({ source: `s3://${kit.deps.objects.bucket}/many/`, filename_column: 'from' });
    expect(rows).toEqual([
      { id: '1', b: null, from: 'many/1.csv' },
      { id: '2', b: 'x', from: 'many/2.csv' },
    ]);
    expect(summary).toMatchObject({ files: 2 });
    await kit.put('mixed/a.csv', 'a\n1\n');
    await kit.put('mixed/b.json', '[]');
    await expect(read({ source: 'mixed' })).rejects.toMatchObject({ code: 'wrong_type' });
  });
});

describe('where it comes from', () => {
  test('an empty configuration takes the input of the execution', async () => {
    await kit.put('input-data', '[{"a":1}]');
    const source = `s3://${kit.deps.objects.bucket}/input-data`;
    expect((await read({}, { input_data: { source, format: 'json' } })).rows).toEqual([{ a: '1' }]);
    expect((await read({}, { input_data: { rows: [{ a: 5 }] } })).rows).toEqual([{ a: '5' }]);
    await expect(read({})).rejects.toMatchObject({
      code: 'invalid_input',
      message: expect.stringContaining('No source'),
    });
  });

  test('a task names its data and how to read it', async () => {
    await kit.put('data.csv', 'id;name\n1;a\n');
    const payload = {
      data_source: `s3://${kit.deps.objects.bucket}/data.csv`,
      parameters: { format: 'csv', delimiter: ';' },
    };
    expect((await read(payload)).rows).toEqual([{ id: '1', name: 'a' }]);
    // Whatever its type: a task that stands alone reads its data first.
    const done = await kit.run('transformation', { ...payload, derive: { twice: 'id * 2' } });
    expect(await kit.rows(done.dataset)).toEqual([{ id: '1', name: 'a', twice: '2' }]);
  });

  test("other buckets, other people's objects and what is not there", async () => {
    await kit.put('uploads/9b2f1a52-c7d9-4f0a-9a3d-0b7f6c2e41d8', 'a\n1\n');
    await kit.put('outputs/bob/x.csv', 'a\n1\n');
    await kit.put('outputs/alice/x.csv', 'a\n1\n');
    await expect(read({ source: 's3://elsewhere/x.csv' })).rejects.toMatchObject({ code: 'forbidden' });
    for (const source of [
      'uploads/9b2f1a52-c7d9-4f0a-9a3d-0b7f6c2e41d8',
      'uploads/',
      'outputs/bob/x.csv',
      'outputs/',
      'outputs',
    ]) {
      await expect(read({ source }), source).rejects.toMatchObject({ code: 'forbidden' });
    }
    expect((await read({ source: 'outputs/alice/x.csv' })).rows).toEqual([{ a: '1' }]);
    expect((await read({ source: 'outputs/bob/x.csv' }, { all_owners: true })).rows).toEqual([{ a: '1' }]);
    await expect(read({ source: 'nope.csv' })).rejects.toMatchObject({ code: 'not_found' });
    await expect(read({ source: '../etc/passwd' })).rejects.toMatchObject({ code: 'invalid_input' });
    await kit.put('nothing.csv', '');
    await expect(read({ source: 'nothing.csv' })).rejects.toMatchObject({ code: 'empty_file' });
  });
});

describe('rows that cannot be read', () => {
  test('fail with file and line', async () => {
    await expect(read({ source: 'in/bad.csv', schema: { n: 'BIGINT' } })).rejects.toMatchObject({
      code: 'malformed',
      message: expect.stringMatching(/^in\/bad\.csv, line 3: .*"n"/),
    });
    await expect(read({ source: 'in/bad.ndjson' })).rejects.toMatchObject({
      code: 'malformed',
      message: expect.stringMatching(/in\/bad\.ndjson.*line \d/),
    });
  });

  test('are kept aside with line and reason when they may be skipped', async () => {
    const { rows, summary, artifacts } = await read({
      source: 'in/bad.csv',
      schema: { n: 'BIGINT' },
      on_error: 'skip',
    });
    expect(rows.map((row) => row.id)).toEqual(['1', '3', '7']);
    expect(summary).toMatchObject({ rows: 3, rejected: 3 });
    expect(await kit.lines(artifacts[0])).toMatchObject([
      { file: 'in/bad.csv', line: 3, content: '2,b,x' },
      { line: 5, reason: expect.stringContaining('Found: 2') },
      { line: 6, reason: expect.stringContaining('Found: 4') },
    ]);
    await expect(
      read({ source: 'in/bad.csv', schema: { n: 'BIGINT' }, on_error: 'skip', max_rejects: 2 }),
    ).rejects.toMatchObject({ code: 'malformed' });
  });

  test('of NDJSON too', async () => {
    const { rows, artifacts } = await read({ source: 'in/bad.ndjson', on_error: 'skip' });
    expect(rows).toEqual([
      { a: '1', b: null },
      { a: '2', b: ['1', '2'] },
    ]);
    expect(await kit.lines(artifacts[0])).toMatchObject([{ line: 2 }, { line: 4 }]);
  });

  test('a type guessed from the first rows gives way to a later one', async () => {
    const lines = Array.from({ length: 30_000 }, (_, at) => `${at},${at === 29_000 ? 'x' : at}`);
    await kit.put('late.csv', `id,v\n${lines.join('\n')}\n`);
    const { dataset } = await read({ source: 'late.csv' });
    expect(dataset).toMatchObject({ rows: 30_000, columns: [{ type: 'BIGINT' }, { type: 'VARCHAR' }] });
  });
});
