/** CSV: dialects, encodings, lines, bytes, and rows that do not fit. */
import { describe, expect, test } from 'vitest';
import { bufferAccess } from '../../../src/parsers/readers/access.ts';
import { readCsv } from '../../../src/parsers/readers/csv.ts';
import { decode1252, fieldsOf } from '../../../src/parsers/readers/csv-row.ts';
import type { Item } from '../../../src/parsers/readers/item.ts';
import { LIMITS } from '../helpers.ts';

async function items(text: string | Buffer, from = { offset: 0, line: 1 }): Promise<Item[]> {
  const bytes = Buffer.from(text as string);
  const entry = { name: 'a.csv', size: bytes.length, open: (offset: number) => bufferAccess(bytes).stream(offset) };
  const found: Item[] = [];
  for await (const some of readCsv(entry, { limits: LIMITS, from })) found.push(...some);
  return found;
}

const rows = async (text: string | Buffer) =>
  (await items(text)).map((item) => (item.kind === 'row' ? item.row : item));

describe('dialects', () => {
  test.each([',', ';', '\t'])('delimiter %j, also where another stands in quotes', async (mark) => {
    const others = [',', ';', '\t']
      .filter((other) => other !== mark)
      .join('')
      .repeat(5);
    expect(await rows(`Id${mark}"Na${others}me"\n1${mark}2\n`)).toEqual([{ Id: '1', [`Na${others}me`]: '2' }]);
  });

  test.each(['\n', '\r\n', '\r'])('line end %j', async (end) => {
    expect(await rows(`a,b${end}1,"x${end}y"${end}${end}3,4`)).toEqual([
      { a: '1', b: `x${end}y` },
      { a: '3', b: '4' },
    ]);
  });

  test('headers are trimmed, numbered and named', async () => {
    expect(await rows('\ufeff" Id ",Name,Name,,Name\n1,2,3,4,5')).toEqual([
      { Id: '1', Name: '2', 'Name (2)': '3', 'column 4': '4', 'Name (3)': '5' },
    ]);
  });
});

describe('encodings', () => {
  test('Windows-1252 in the head', async () => {
    const bytes = Buffer.from('Id,Name\n1,Caf\xe9 \x80 \x93x\x94\n', 'latin1');
    expect(await rows(bytes)).toEqual([{ Id: '1', Name: 'Café € “x”' }]);
  });

  test('Windows-1252 far behind plain ASCII', async () => {
    const bytes = Buffer.concat([
      Buffer.from(`Id,Name\n${'1,x\n'.repeat(30_000)}`),
      Buffer.from('2,\xfcber\n', 'latin1'),
    ]);
    expect((await rows(bytes)).at(-1)).toEqual({ Id: '2', Name: 'über' });
  });

  test.each([
    ['a byte order mark', '\ufeffId,Name\n1,x\n'],
    ['UTF-8 in the head', `Id,Name\n1,${'ü'.repeat(40_000)}\n`],
  ])('with %s a stray byte is an error', async (_kind, text) => {
    const found = await items(Buffer.concat([Buffer.from(text), Buffer.from('2,\xfc\n3,y\n', 'latin1')]));
    expect(found.map((item) => [item.kind, item.line])).toEqual([
      ['row', 2],
      ['bad', 3],
      ['row', 4],
    ]);
    expect(found[1]).toMatchObject({ code: 'invalid_encoding' });
  });

  test('a head of both is read record by record', async () => {
    const bytes = Buffer.concat([Buffer.from('Id,Name\n1,ü\n'), Buffer.from('2,\xfc\n', 'latin1')]);
    expect(await rows(bytes)).toEqual([
      { Id: '1', Name: 'ü' },
      { Id: '2', Name: 'ü' },
    ]);
  });

  test('every byte of Windows-1252', () => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    expect(decode1252(all).length).toBe(256);
    expect(decode1252(Buffer.from([0x80, 0x8e, 0x99, 0x9f, 0xa0, 0xff]))).toBe('€Ž™Ÿ\u00a0ÿ');
  });
});

test('rows of another length are errors with their line; empty fields too many are not', async () => {
  const found = await items('a,b\n"x\ny",2\n1\n1,2,3\n1,2,,\n,\n5,"6"z\n7,8');
  expect(found.map((item) => [item.kind, item.line])).toEqual([
    ['row', 2],
    ['bad', 4],
    ['bad', 5],
    ['row', 6],
    ['bad', 8],
    ['row', 9],
  ]);
  expect(found.flatMap((item) => (item.kind === 'bad' ? [item.message] : []))).toEqual([
    'has 1 columns where the header has 2',
    'has 3 columns where the header has 2',
    'text stands behind a closing quote',
  ]);
});

test('a quote that never closes names the line it opened on', async () => {
  const found = await items('a,b\n1,2\n3,"4\n5,6\n');
  expect(found.at(-1)).toMatchObject({ kind: 'bad', line: 3, code: 'truncated_file' });
});

test('the end of every row is the byte at which the next one starts', async () => {
  const text = '\ufeffÜd;"Nä;me"\r\n1;"é\r\n""x"""\r\n\r\n2;😀\r\nbad\r\n3;y';
  const bytes = Buffer.from(text);
  const whole = await items(bytes);
  expect(whole).toHaveLength(4);
  for (const [index, item] of whole.entries()) {
    expect(await items(bytes, { offset: item.end, line: item.endLine })).toEqual(whole.slice(index + 1));
  }
});

test.each([
  ['a,b', ['a', 'b']],
  ['', ['']],
  ['"a""b",', ['a"b', '']],
  ['5" pipe,x', ['5" pipe', 'x']],
  ['"",""', ['', '']],
  ['"a" ,b', null],
])('the fields of %j', (text, fields) => expect(fieldsOf(text, ',')).toEqual(fields));
