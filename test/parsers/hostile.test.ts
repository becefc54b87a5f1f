/** One test for each kind of hostile upload: refused with its code, or reported by entry and line. */
import { crc32, deflateRawSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { RandomAccess } from '../../src/parsers/contract.ts';
import { inspectUpload } from '../../src/parsers/inspect.ts';
import { bufferAccess } from '../../src/parsers/readers/access.ts';
import type { FailureCode } from '../../src/schema/failures.ts';
import { fakeParser, LIMITS, pdfOf, run, zipOf } from './helpers.ts';

const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;

async function refused(input: Buffer | RandomAccess, code: FailureCode, filename = 'export.zip', limits = LIMITS) {
  const access = Buffer.isBuffer(input) ? bufferAccess(input) : input;
  const source = fakeParser();
  await expect(inspectUpload(access, { filename, source, limits })).rejects.toMatchObject({ name: 'Failure', code });
  await expect(run(access, { filename, source, limits })).rejects.toMatchObject({ name: 'Failure', code });
}

/** Offsets at which `signature` begins. */
function places(bytes: Buffer, signature: number): number[] {
  const wanted = Buffer.alloc(4);
  wanted.writeUInt32LE(signature);
  const found: number[] = [];
  for (let at = bytes.indexOf(wanted); at >= 0; at = bytes.indexOf(wanted, at + 1)) found.push(at);
  return found;
}

/** Writes into every local and central header of an archive. */
function patched(zip: Buffer, write: (bytes: Buffer, at: number, central: boolean) => void): Buffer {
  const bytes = Buffer.from(zip);
  for (const at of places(bytes, LOCAL)) write(bytes, at, false);
  for (const at of places(bytes, CENTRAL)) write(bytes, at, true);
  return bytes;
}

/** yazl refuses unsafe names, so a safe one of the same length is overwritten. */
async function zipNamed(name: string): Promise<Buffer> {
  const safe = 'x'.repeat(Buffer.byteLength(name));
  return patched(await zipOf({ [safe]: '[{"id":1}]' }), (bytes, at, central) =>
    bytes.write(name, at + (central ? 46 : 30)),
  );
}

describe('type', () => {
  test('a program called .json', () =>
    refused(Buffer.from([0x4d, 0x5a, 0x90, 0, 3, 0, 0, 0, 4]), 'wrong_type', 'a.json'));
  test('HTML called .json', () => refused(Buffer.from('\n<!doctype html><p>Sign in'), 'wrong_type', 'a.json'));
  test('rich text called .json', () => refused(Buffer.from('{\\rtf1\\ansi hello}'), 'wrong_type', 'a.json'));
  test('plain text called .csv', () => refused(Buffer.from('Dear all\nthis is a letter\n'), 'wrong_type', 'a.csv'));
  test('gzip', () => refused(Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0]), 'wrong_type', 'a.json.gz'));

  test('a PDF called .csv, where the source takes no PDF', async () => {
    const source = fakeParser(['csv', 'json']);
    const refusal = inspectUpload(bufferAccess(pdfOf(['x'])), { filename: 'a.csv', source, limits: LIMITS });
    await expect(refusal).rejects.toThrow(/a\.csv is PDF; slack takes CSV, JSON, a ZIP/);
    await expect(refusal).rejects.toMatchObject({ code: 'wrong_type' });
  });

  test('a PDF called .csv, where the source takes PDF, is read as what it is', async () => {
    const { records } = await run(pdfOf(['Hello page']), { filename: 'a.csv' });
    expect(records[0]).toMatchObject({ text: 'Hello page', metadata: { title: 'Quarterly numbers', pages: 1 } });
  });

  test('an archive without anything the source exports', async () =>
    refused(await zipOf({ 'a.txt': 'x', 'b.png': 'y' }), 'wrong_type'));

  test('an archive whose only .json is something else', async () => {
    const zip = await zipOf({ 'a.json': '<html>' });
    const inspected = inspectUpload(bufferAccess(zip), { filename: 'a.zip', source: fakeParser(), limits: LIMITS });
    await expect(inspected).rejects.toMatchObject({ code: 'wrong_type' });
    const { errors } = await run(zip, { filename: 'a.zip' });
    expect(errors).toEqual([
      { entry: 'a.json', line: null, message: 'a.json is HTML or XML; slack takes JSON, a ZIP archive of these.' },
    ]);
  });
});

describe('size', () => {
  test('empty', () => refused(Buffer.alloc(0), 'empty_file', 'a.json'));
  test('white space', () => refused(Buffer.from('\ufeff \n\t '), 'empty_file', 'a.json'));
  test('an archive without files', async () => refused(await zipOf({ 'folder/': '' }), 'empty_file'));
  test('over the limit', () =>
    refused(Buffer.from('[1,2,3]'), 'payload_too_large', 'a.json', { ...LIMITS, max_upload_bytes: 6 }));
});

describe('archives', () => {
  test('encrypted', async () =>
    refused(
      patched(await zipOf({ 'a.json': '[]' }), (bytes, at, central) => {
        const flags = at + (central ? 8 : 6);
        bytes.writeUInt16LE(bytes.readUInt16LE(flags) | 1, flags);
        // What yauzl expects of a stored entry with an encryption header.
        if (central && bytes.readUInt16LE(at + 10) === 0)
          bytes.writeUInt32LE(bytes.readUInt32LE(at + 24) + 12, at + 20);
      }),
      'encrypted_archive',
    ));

  test('strongly encrypted', async () =>
    refused(
      patched(await zipOf({ 'a.json': '[]' }), (bytes, at, central) => {
        bytes.writeUInt16LE(0x41, at + (central ? 8 : 6));
      }),
      'encrypted_archive',
    ));

  test.each([
    '../evil.json',
    'a/../../evil.json',
    '/etc/a.json',
    'C:/a.json',
    'C:\\a.json',
    'a\\b.json',
    '..\\a.json',
    'a\u0000.json',
  ])('the path %j', async (name) => refused(await zipNamed(name), 'unsafe_path'));

  test('a symbolic link', async () =>
    refused(await zipOf({ 'a.json': '/etc/passwd' }, { mode: 0o120777 }), 'unsafe_path'));
  test('a device', async () => refused(await zipOf({ 'a.json': '' }, { mode: 0o020666 }), 'unsafe_path'));

  test('a bomb by ratio', async () =>
    refused(await zipOf({ 'a.json': `[${' '.repeat(4 * 1024 * 1024)}]` }), 'archive_bomb'));

  test('a bomb by total size', async () =>
    refused(await zipOf({ 'a.json': 'x'.repeat(600), 'b.json': 'x'.repeat(600) }), 'archive_bomb', 'a.zip', {
      ...LIMITS,
      max_unpacked_bytes: 1000,
    }));

  test('a bomb by count', async () =>
    refused(await zipOf({ 'a.json': '[]', 'b.json': '[]', 'c.json': '[]' }), 'archive_bomb', 'a.zip', {
      ...LIMITS,
      max_entries: 2,
    }));

  test('an archive in an archive', async () =>
    refused(await zipOf({ 'a.json': '[]', 'inner.zip': await zipOf({ 'b.json': '[]' }) }), 'archive_bomb'));

  test('an archive in an archive under another name', async () =>
    refused(await zipOf({ 'a.json': '[{"id":1}]', 'b.json': await zipOf({ 'b.json': '[]' }) }), 'archive_bomb'));

  test('entries that share their bytes', async () => {
    // One local entry, named many times by the directory.
    const packed = deflateRawSync(Buffer.from('x'.repeat(50_000)), { level: 0 });
    const zip = overlapping(packed, 50_000, 20);
    await refused(zip, 'archive_bomb');
  });

  test('an entry that unpacks to more than it says', async () => {
    const zip = patched(await zipOf({ 'a.json': `[${'1,'.repeat(5000)}1]` }), (bytes, at, central) => {
      bytes.writeUInt32LE(100, at + (central ? 24 : 22));
    });
    await refused(zip, 'archive_bomb');
  });

  test('an entry that unpacks to less than it says costs the entry', async () => {
    const zip = patched(await zipOf({ 'a.json': '[{"id":1}]', 'b.json': '[{"id":2}]' }), (bytes, at, central) => {
      const name = at + (central ? 46 : 30);
      if (bytes.toString('latin1', name, name + 1) === 'b') bytes.writeUInt32LE(200, at + (central ? 24 : 22));
    });
    const { records, errors } = await run(zip, { filename: 'a.zip' });
    expect(records).toHaveLength(1);
    expect(errors).toEqual([{ entry: 'b.json', line: null, message: 'b.json is damaged inside the archive.' }]);
  });

  test('a stored entry with two sizes', async () => {
    const zip = patched(await zipOf({ 'a.json': '[{"id":1}]' }, { compress: false }), (bytes, at, central) => {
      if (central) bytes.writeUInt32LE(5, at + 24);
    });
    await refused(zip, 'malformed');
  });

  test('damaged bytes cost the entry', async () => {
    const zip = await zipOf({ 'a.json': '[{"id":1}]', 'b.json': '[{"id":2}]' }, { compress: false });
    zip.write('9', zip.indexOf('{"id":1}') + 6);
    const { records, errors } = await run(zip, { filename: 'a.zip' });
    expect(records.map((one) => one.external_id)).toEqual(['b.json:2:0']);
    expect(errors[0]?.message).toBe('a.json is damaged inside the archive.');
  });

  test.each([0.2, 0.5, 0.9, 0.99])('cut off at %f of its length', async (part) => {
    const zip = await zipOf({
      'a.json': JSON.stringify(Array.from({ length: 500 }, (_, id) => ({ id }))),
      'b.json': '[]',
    });
    await refused(zip.subarray(0, Math.floor(zip.length * part)), 'truncated_file');
  });

  test('a directory that points past the end', async () => {
    const zip = patched(await zipOf({ 'a.json': '[{"id":1}]' }), (bytes, at, central) => {
      if (central) bytes.writeUInt32LE(0x7fffffff, at + 42);
    });
    await refused(zip, 'truncated_file');
  });

  test('clutter of operating systems is passed over', async () => {
    const zip = await zipOf({
      '__MACOSX/a.json': 'x',
      'b/.DS_Store': 'x',
      'b/._c.json': 'x',
      'b/c.json': '[{"id":1}]',
      'd/': '',
    });
    const { records, errors } = await run(zip, { filename: 'a.zip' });
    expect(records).toHaveLength(1);
    expect(errors).toEqual([]);
  });

  test('ZIP64 is read, and a name that occurs twice is read twice', async () => {
    const zip = await zipOf({ 'a.json': '[{"id":1}]', 'b.json': '[{"id":2}]' }, { forceZip64Format: true });
    const twice = patched(zip, (bytes, at, central) => bytes.write('a', at + (central ? 46 : 30)));
    const { records } = await run(twice, { filename: 'a.zip' });
    expect(records.map((one) => one.external_id)).toEqual(['a.json:1:0', 'a.json:2:0']);
  });
});

describe('text', () => {
  test('NUL characters at the beginning', () => refused(Buffer.from('[{"id":1,\u0000"a":2}]'), 'malformed', 'a.json'));
  test('NUL characters in CSV', () => refused(Buffer.from('Id,Name\n1,a\u0000b\n'), 'malformed', 'a.csv'));
  test('UTF-16', () => refused(Buffer.from('\ufeff[{"id":1}]', 'utf16le'), 'invalid_encoding', 'a.json'));

  test('a NUL character far behind', async () => {
    const { records, errors } = await run(`[${'{"id":1},'.repeat(20_000)}\n{"id":\u00002},{"id":3}]`, {
      filename: 'a.json',
    });
    expect(records).toHaveLength(20_001);
    expect(errors).toEqual([{ entry: 'a.json', line: 2, message: 'holds a NUL character' }]);
  });

  test('invalid UTF-8 costs its record', async () => {
    const bytes = Buffer.concat([
      Buffer.from('[{"id":1},\n{"id":2,"text":"'),
      Buffer.from([0xe9, 0x74]),
      Buffer.from('"},{"id":3}]'),
    ]);
    const { batches, records, errors } = await run(bytes, { filename: 'a.json' });
    expect(records).toHaveLength(2);
    expect(errors).toEqual([{ entry: 'a.json', line: 2, message: 'not valid UTF-8' }]);
    expect(batches[0]?.cause).toBe('invalid_encoding');
  });

  test.each([
    ['an element', `[{"id":1},${'['.repeat(63)}${']'.repeat(63)},${'['.repeat(64)}${']'.repeat(64)},{"id":2}]`, 3, 1],
    ['a line', `{"id":1}\n${'['.repeat(65)}${']'.repeat(65)}\n{"id":2}`, 2, 1],
  ])('%s nested too deep', async (_kind, text, good, bad) => {
    const { batches, records, errors } = await run(text, { filename: 'a.json' });
    expect(records).toHaveLength(good);
    expect(errors).toHaveLength(bad);
    expect(errors.at(-1)?.message).toBe('nested deeper than 64');
    expect(batches.at(-1)?.resume.errors).toBe(bad);
  });

  test('a million brackets', async () => {
    const { batches, errors } = await run('['.repeat(1_000_000), { filename: 'a.json' });
    expect(errors).toEqual([{ entry: 'a.json', line: 1, message: 'nested deeper than 64' }]);
    expect(batches[0]?.cause).toBe('too_deep');
  });

  test.each([
    ['a.json', `[{"id":1},{"id":2,"text":"${'x'.repeat(300_000)}"},{"id":3}]`],
    ['a.ndjson', `{"id":1}\n{"id":2,"text":"${'x'.repeat(300_000)}"}\n{"id":3}`],
    ['a.csv', `Id,Name\n1,a\n2,${'x'.repeat(300_000)}\n3,c`],
  ])('a record over the limit in %s', async (filename, text) => {
    const { batches, records, errors } = await run(text, { filename });
    expect(records).toHaveLength(2);
    expect(errors.map((one) => one.message)).toEqual([`over ${LIMITS.max_record_bytes} bytes`]);
    expect(batches[0]?.cause).toBe('record_too_large');
  });

  test.each([
    ['cut inside a record', '[{"id":1},\n{"id":2', 'the text ends inside a record'],
    ['cut between records', '[{"id":1},\n', 'the text ends too early'],
    ['unbalanced', '[{"id":1},\n{"id":2]},{"id":3}]', 'brackets do not match'],
    ['without a comma', '[{"id":1}\n{"id":2}]', 'the structure is broken: unexpected "{"'],
    ['with more behind', '[{"id":1}]\n[{"id":2}]', 'there is more after the end of the document: unexpected "["'],
  ])('an array %s keeps what came before', async (_kind, text, message) => {
    const { records, errors } = await run(text, { filename: 'a.json' });
    expect(records).toHaveLength(1);
    expect(errors).toEqual([{ entry: 'a.json', line: 2, message }]);
  });
});

describe('PDF', () => {
  test('encrypted, alone and in an archive', async () => {
    const secret = `/Encrypt << /Filter /Standard /V 1 /R 2 /O (${'o'.repeat(32)}) /U (${'u'.repeat(32)}) /P -4 >> /ID [(0123456789abcdef) (0123456789abcdef)] /Info`;
    const bytes = Buffer.from(pdfOf(['x']).toString('latin1').replace('/Info', secret), 'latin1');
    await expect(run(bytes, { filename: 'a.pdf' })).rejects.toMatchObject({ code: 'encrypted_archive' });
    const { records, errors } = await run(await zipOf({ 'a.pdf': bytes, 'b.json': '[{"id":1}]' }), {
      filename: 'a.zip',
    });
    expect(records).toHaveLength(1);
    expect(errors).toEqual([
      { entry: 'a.pdf', line: null, message: 'a.pdf is a PDF with a password; upload it without.' },
    ]);
  });

  test('broken', async () => {
    const bytes = Buffer.from('%PDF-1.4\nnothing of a document here\n%%EOF\n');
    await expect(run(bytes, { filename: 'a.pdf' })).rejects.toMatchObject({ code: 'malformed' });
  });

  test('cut off', async () => {
    await expect(run(Buffer.from('%PDF-1.4\n1 0 obj\n<<'), { filename: 'a.pdf' })).rejects.toMatchObject({
      code: 'truncated_file',
    });
  });
});

/** `count` directory entries that all name the one local entry. */
function overlapping(packed: Buffer, size: number, count: number): Buffer {
  const name = Buffer.from('a.json');
  const local = Buffer.alloc(30);
  local.writeUInt32LE(LOCAL, 0);
  local.writeUInt16LE(20, 4);
  local.writeUInt16LE(8, 8);
  const crc = crc32(Buffer.from('x'.repeat(size)));
  for (const [at, value] of [
    [14, crc],
    [18, packed.length],
    [22, size],
  ] as const)
    local.writeUInt32LE(value, at);
  local.writeUInt16LE(name.length, 26);
  const central = Buffer.alloc(46);
  central.writeUInt32LE(CENTRAL, 0);
  central.writeUInt16LE(20, 6);
  central.writeUInt16LE(8, 10);
  for (const [at, value] of [
    [16, crc],
    [20, packed.length],
    [24, size],
  ] as const)
    central.writeUInt32LE(value, at);
  central.writeUInt16LE(name.length, 28);
  const body = Buffer.concat([local, name, packed]);
  const directory = Buffer.concat(Array.from({ length: count }, () => Buffer.concat([central, name])));
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(count, 8);
  end.writeUInt16LE(count, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(body.length, 16);
  return Buffer.concat([body, directory, end]);
}
