/** Hostile uploads over HTTP: each is refused with its status and code, and nothing of it stays. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pdfOf, zipOf } from '../parsers/helpers.ts';
import { type System, untilOver, upload } from '../support/system.ts';
import { openStage, type Stage, sample, storedFiles, until } from './outside.ts';

const MAX_UPLOAD_BYTES = 1_000_000;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;

let stage: Stage;
let system: System;

beforeAll(async () => {
  stage = await openStage({
    MAX_UPLOAD_BYTES: String(MAX_UPLOAD_BYTES),
    MAX_ARCHIVE_ENTRIES: '20',
    MAX_UNPACKED_BYTES: '3000000',
    MAX_RECORD_BYTES: '20000',
    MAX_JSON_DEPTH: '32',
  });
  system = stage.system();
}, 240_000);
afterAll(() => stage?.close(), 60_000);

async function fileRows(): Promise<number> {
  return Number((await stage.rows<{ n: string }>('SELECT count(*) AS n FROM file_imports'))[0]?.n);
}

/** Writes into every local and central header of an archive. */
function patched(zip: Buffer, write: (bytes: Buffer, at: number, central: boolean) => void): Buffer {
  const bytes = Buffer.from(zip);
  for (const signature of [LOCAL, CENTRAL]) {
    const wanted = Buffer.alloc(4);
    wanted.writeUInt32LE(signature);
    for (let at = bytes.indexOf(wanted); at >= 0; at = bytes.indexOf(wanted, at + 1)) {
      write(bytes, at, signature === CENTRAL);
    }
  }
  return bytes;
}

async function zipNamed(name: string): Promise<Buffer> {
  const zip = await zipOf({ ['x'.repeat(Buffer.byteLength(name))]: '[]' });
  return patched(zip, (bytes, at, central) => bytes.write(name, at + (central ? 46 : 30)));
}

async function encrypted(): Promise<Buffer> {
  return patched(await zipOf({ 'a.json': '[]' }), (bytes, at, central) => {
    bytes.writeUInt16LE(0x41, at + (central ? 8 : 6));
  });
}

async function cutOff(): Promise<Buffer> {
  const zip = Buffer.from(sample('slack/brightwater-export.zip'));
  return zip.subarray(0, Math.floor(zip.length * 0.7));
}

const MESSAGE = { type: 'message', user: 'U0AAAAAAA', ts: '1735725600.000100', text: 'good' };
const inMessage = (text: string) => `[${JSON.stringify(MESSAGE).replace('good', text)}]`;

type Kind = [
  kind: string,
  source: string,
  filename: string,
  content: () => Promise<Buffer> | Buffer,
  code: string,
  detail: RegExp,
];

const REFUSED: Kind[] = [
  [
    'a program called .json',
    'slack',
    'evil.json',
    () => Buffer.from([0x4d, 0x5a, 0x90, 0, 3]),
    'wrong_type',
    /evil\.json/,
  ],
  [
    'a web page called .csv',
    'hubspot',
    'page.csv',
    () => Buffer.from('<!doctype html><p>Sign in'),
    'wrong_type',
    /page\.csv/,
  ],
  ['a PDF for a source without PDF', 'slack', 'a.json', () => pdfOf(['x']), 'wrong_type', /a\.json is PDF/],
  ['an archive without exports', 'slack', 'a.zip', () => zipOf({ 'a.txt': 'x' }), 'wrong_type', /a\.zip/],
  ['nothing', 'slack', 'empty.json', () => Buffer.alloc(0), 'empty_file', /empty\.json is empty/],
  ['an archive of nothing', 'slack', 'a.zip', () => zipOf({ 'folder/': '' }), 'empty_file', /a\.zip/],
  ['an encrypted archive', 'slack', 'a.zip', encrypted, 'encrypted_archive', /password/],
  [
    'a bomb by ratio',
    'slack',
    'a.zip',
    () => zipOf({ 'big.json': `[${' '.repeat(2_500_000)}]` }),
    'archive_bomb',
    /big\.json/,
  ],
  [
    'a bomb by size',
    'slack',
    'a.zip',
    () =>
      zipOf({
        'a.json': 'x'.repeat(999_000),
        'b.json': 'x'.repeat(999_000),
        'c.json': 'x'.repeat(999_000),
        'd.json': 'x'.repeat(999_000),
      }),
    'archive_bomb',
    /3000000/,
  ],
  [
    'a bomb by count',
    'slack',
    'a.zip',
    () => zipOf(Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`${i}.json`, '[]']))),
    'archive_bomb',
    /20/,
  ],
  [
    'an archive in an archive',
    'slack',
    'a.zip',
    async () => zipOf({ 'a.json': '[]', 'inner.zip': await zipOf({ 'b.json': '[]' }) }),
    'archive_bomb',
    /inner\.zip/,
  ],
  ['a path that climbs', 'slack', 'a.zip', () => zipNamed('../evil.json'), 'unsafe_path', /\.\.\/evil\.json/],
  ['an absolute path', 'slack', 'a.zip', () => zipNamed('/etc/a.json'), 'unsafe_path', /\/etc\/a\.json/],
  [
    'a link',
    'slack',
    'a.zip',
    () => zipOf({ 'link.json': '/etc/passwd' }, { mode: 0o120777 }),
    'unsafe_path',
    /link\.json/,
  ],
  ['a truncated archive', 'slack', 'a.zip', cutOff, 'truncated_file', /./],
  [
    'UTF-16',
    'slack',
    'wide.json',
    () => Buffer.from('\ufeff[{"ts":"1"}]', 'utf16le'),
    'invalid_encoding',
    /wide\.json/,
  ],
  ['NUL characters in JSON', 'slack', 'nul.json', () => Buffer.from('[{"ts":"1",\0"a":2}]'), 'malformed', /nul\.json/],
  ['NUL characters in CSV', 'salesforce', 'nul.csv', () => Buffer.from('Id,Name\n1,a\0b\n'), 'malformed', /nul\.csv/],
];

/** What only reading the whole can tell: accepted first, then failed. */
const FAILED: Kind[] = [
  [
    'JSON nested too deep',
    'slack',
    'deep.json',
    () => Buffer.from(`[${'['.repeat(40)}${']'.repeat(40)}]`),
    'too_deep',
    /deep\.json line 1/,
  ],
  [
    'a record over the limit',
    'slack',
    'long.json',
    () => Buffer.from(inMessage('x'.repeat(30_000))),
    'record_too_large',
    /long\.json line 1/,
  ],
  [
    'a row over the limit',
    'hubspot',
    'long.csv',
    () => Buffer.from(`Record ID,Email\n1,${'x'.repeat(30_000)}\n`),
    'record_too_large',
    /long\.csv line 2/,
  ],
  [
    'invalid UTF-8',
    'slack',
    'latin.json',
    () => Buffer.from(inMessage('caf\u00e9'), 'latin1'),
    'invalid_encoding',
    /latin\.json line 1/,
  ],
  [
    'a NUL character further on',
    'slack',
    'nul.json',
    () => Buffer.from(inMessage('a\0b').replace('[', `[${' '.repeat(200_000)}`)),
    'malformed',
    /nul\.json line 1/,
  ],
  [
    'an escaped NUL character',
    'slack',
    'escaped.json',
    () => Buffer.from(inMessage('a\\u0000b')),
    'malformed',
    /escaped\.json line 1/,
  ],
  [
    'JSON that breaks off',
    'slack',
    'cut.json',
    () => Buffer.from('[{"type":"message","ts":"17'),
    'truncated_file',
    /cut\.json line 1/,
  ],
  [
    'nothing that the source exports',
    'slack',
    'other.json',
    () => Buffer.from('[{"a":1}]'),
    'malformed',
    /other\.json line 1/,
  ],
];

describe('refused when it arrives', () => {
  test.each(REFUSED)('%s', async (_kind, source, filename, content, code, detail) => {
    const before = await fileRows();
    const { status, body, headers } = await upload(system, source, filename, await content());
    expect([status, body.code], JSON.stringify(body)).toEqual([422, code]);
    expect(headers.get('content-type')).toContain('application/problem+json');
    expect(body.detail).toMatch(detail);
    expect(JSON.stringify(body)).not.toMatch(/\.ts\b|node_modules/);
    expect(await fileRows()).toBe(before);
    expect(storedFiles(stage.where.dataDir)).toEqual([]);
  });
});

describe('failed when it is read', () => {
  test.each(FAILED)('%s', async (_kind, source, filename, content, code, detail) => {
    const { status, body } = await upload(system, source, filename, await content());
    expect(status, JSON.stringify(body)).toBe(202);
    const file = await untilOver(system, body.file_id);
    expect(file).toMatchObject({ status: 'failed', error: { code }, total_records: 0, vector_count: 0 });
    expect(file.error.detail).toMatch(detail);
    const truth = await stage.truth();
    expect({ rows: truth.rows.size, links: truth.links, vectors: truth.vectors, objects: truth.objects }).toEqual({
      rows: 0,
      links: 0,
      vectors: [],
      objects: [],
    });
    expect(storedFiles(stage.where.dataDir)).toEqual([]);
  });
});

describe('forms', () => {
  const send = async (form: FormData) => {
    const before = await fileRows();
    const answer = await system.call('POST', '/api/v1/files', form);
    expect(await fileRows()).toBe(before);
    expect(storedFiles(stage.where.dataDir)).toEqual([]);
    return [answer.status, answer.body.code, answer.body.errors?.[0]?.path];
  };
  const file = () => new Blob(['[]']);
  const form = (fields: [string, string | Blob][]) => {
    const made = new FormData();
    for (const [name, value] of fields) made.append(name, value);
    return made;
  };

  test('that are none are 415', async () => {
    const { status, body } = await system.call('POST', '/api/v1/files', { source_type: 'slack' });
    expect([status, body.code]).toEqual([415, 'unsupported_type']);
  });

  test.each([
    ['without a file', () => form([['source_type', 'slack']]), 'file'],
    ['without a source', () => form([['file', file()]]), 'source_type'],
    [
      'with a source that is none',
      () =>
        form([
          ['source_type', 'myspace'],
          ['file', file()],
        ]),
      'source_type',
    ],
    [
      'with a source that is none, behind the file',
      () =>
        form([
          ['file', file()],
          ['source_type', 'myspace'],
        ]),
      'source_type',
    ],
    [
      'with two files',
      () =>
        form([
          ['source_type', 'slack'],
          ['file', file()],
          ['file', file()],
        ]),
      'file',
    ],
    [
      'with metadata that is no JSON',
      () =>
        form([
          ['source_type', 'slack'],
          ['metadata', '{'],
          ['file', file()],
        ]),
      'metadata',
    ],
  ])('%s are 400', async (_kind, made, path) => {
    expect(await send(made())).toEqual([400, 'invalid_input', path]);
  });
});

/** Sends a form by hand and resolves with the answer's head and how much went out before it came. */
async function byHand(options: { announced: number | null; enough: number; cutAt?: number }) {
  const { hostname, port } = new URL(system.url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  let answer = '';
  let closed = false;
  socket.on('data', (chunk) => (answer += chunk));
  socket.on('error', () => {});
  socket.on('close', () => (closed = true));
  const boundary = 'by-hand';
  const head = [
    'POST /api/v1/files HTTP/1.1',
    `host: ${hostname}:${port}`,
    `authorization: Bearer ${system.key}`,
    `content-type: multipart/form-data; boundary=${boundary}`,
    options.announced === null ? 'transfer-encoding: chunked' : `content-length: ${options.announced}`,
  ];
  const send = (text: string) =>
    socket.write(options.announced === null ? `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n` : text);
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  send(
    [
      `--${boundary}`,
      'content-disposition: form-data; name="source_type"',
      '',
      'slack',
      `--${boundary}`,
      'content-disposition: form-data; name="file"; filename="big.json"',
      'content-type: application/json',
      '',
      '[',
    ].join('\r\n'),
  );
  let sent = 0;
  const piece = ' '.repeat(64 * 1024);
  while (sent < options.enough && answer === '' && !closed) {
    if (options.cutAt !== undefined && sent >= options.cutAt) break;
    send(piece);
    sent += piece.length;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  if (options.cutAt === undefined) await until(async () => answer.includes('\r\n\r\n') || closed);
  else await until(async () => storedFiles(stage.where.dataDir).length > 0);
  socket.destroy();
  return { answer, sent };
}

describe('too large', () => {
  test.each([
    ['announced', 100_000_000],
    ['not announced', null],
  ])('is refused without reading it all, %s', async (_kind, announced) => {
    const before = await fileRows();
    const { answer, sent } = await byHand({ announced, enough: 50_000_000 });
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toContain('application/problem+json');
    expect(sent).toBeLessThan(10_000_000);
    expect(await fileRows()).toBe(before);
    expect(storedFiles(stage.where.dataDir)).toEqual([]);
  });

  test('a little over the limit is refused, a little under is taken', async () => {
    const message = (bytes: number) =>
      Buffer.from(`${inMessage('fits')}${' '.repeat(bytes - inMessage('fits').length)}`);
    const over = await upload(system, 'slack', 'over.json', message(MAX_UPLOAD_BYTES + 1));
    expect([over.status, over.body.code]).toEqual([413, 'payload_too_large']);
    expect(storedFiles(stage.where.dataDir)).toEqual([]);
    const under = await upload(system, 'slack', 'under.json', message(MAX_UPLOAD_BYTES));
    expect(under.status).toBe(202);
    expect(await untilOver(system, under.body.file_id)).toMatchObject({ status: 'completed', total_records: 1 });
    await system.call('DELETE', `/api/v1/files/${under.body.file_id}`);
    await until(async () => storedFiles(stage.where.dataDir).length === 0);
  });
});

test.each([
  ['announced', 900_000],
  ['not announced', null],
])('an upload whose connection breaks midway leaves no row and no object (%s)', async (_kind, announced) => {
  const before = await fileRows();
  await byHand({ announced, enough: 900_000, cutAt: 500_000 });
  await until(async () => storedFiles(stage.where.dataDir).length === 0);
  expect(await fileRows()).toBe(before);
  expect((await system.call('GET', '/health')).status).toBe(200);
});
