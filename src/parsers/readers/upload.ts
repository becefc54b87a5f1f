/** An upload opened: what it is, which entries are worth reading, and the bytes of each. */
import { Failure } from '../../schema/failures.ts';
import type { Entry, ParseLimits, RandomAccess, SourceParser } from '../contract.ts';
import type { EntryBytes } from './item.ts';
import { accept, accepts, formatOfName, HEAD_BYTES, sniff } from './sniff.ts';
import { openZip } from './zip.ts';

export interface Upload {
  zipped: boolean;
  /** In a stable order: the archive's own. Entries of formats that the source does not export are not among them. */
  entries: readonly Entry[];
  bytes(index: number): EntryBytes;
}

/**
 * Opens an upload by its content. Throws Failure: `empty_file`, `payload_too_large`, `wrong_type`, and what
 * `openZip` and `sniff` throw.
 *
 * In an archive the names choose: pictures, notes and other formats are normal in exports and are passed over in
 * silence; what is called .json and is not becomes an unreadable record when it is read.
 */
export async function openUpload(
  access: RandomAccess,
  options: { filename: string; parser: Pick<SourceParser, 'source' | 'formats'>; limits: ParseLimits },
): Promise<Upload> {
  const { filename, parser, limits } = options;
  if (access.size === 0) throw new Failure('empty_file', `${filename} is empty.`);
  if (access.size > limits.max_upload_bytes) {
    throw new Failure(
      'payload_too_large',
      `${filename} has ${access.size} bytes; ${limits.max_upload_bytes} are allowed.`,
    );
  }
  const found = sniff(await access.read(0, HEAD_BYTES), filename);
  if (found.kind !== 'zip') {
    const format = accept(found, parser, filename);
    const entry = { name: filename, format, size: access.size };
    return {
      zipped: false,
      entries: [entry],
      bytes: () => ({ name: filename, size: access.size, open: (offset) => access.stream(offset) }),
    };
  }
  const archive = await openZip(access, limits, (name) => {
    const format = formatOfName(name);
    return format !== null && accepts(parser, format);
  });
  if (archive.names.length === 0) {
    if (archive.others === 0) throw new Failure('empty_file', `${filename} is an archive without files.`);
    const wanted = parser.formats.join(', ');
    throw new Failure('wrong_type', `${filename} holds none of the files that ${parser.source} exports (${wanted}).`);
  }
  return {
    zipped: true,
    entries: archive.names.map((name, index) => ({
      name,
      format: formatOfName(name) ?? 'json',
      size: archive.sizes[index] ?? 0,
    })),
    bytes: (index) => ({
      name: archive.names[index] ?? '',
      size: archive.sizes[index] ?? 0,
      open: (offset) => archive.open(index, offset),
    }),
  };
}

/**
 * Checks that an archive's entry is what its name says. Throws Failure: `wrong_type`, `empty_file`, `malformed`,
 * `invalid_encoding`, and `archive_bomb` for an archive under another name.
 */
export function checkContent(entry: Entry, head: Buffer, parser: Pick<SourceParser, 'source' | 'formats'>): void {
  const found = sniff(head, entry.name);
  if (found.kind === 'zip') throw new Failure('archive_bomb', `The archive holds another archive: ${entry.name}.`);
  const json = entry.format === 'json' || entry.format === 'ndjson';
  const isJson = found.kind === 'json' || found.kind === 'ndjson';
  if (found.kind === 'other' || (json ? !isJson : found.kind !== entry.format)) {
    accept(found, { source: parser.source, formats: [entry.format] }, entry.name);
  }
}

/** The first bytes of an entry, at most HEAD_BYTES: always the same, however its stream is cut into chunks. */
export async function headOf(bytes: EntryBytes): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const chunk of bytes.open(0)) {
    parts.push(chunk);
    size += chunk.length;
    if (size >= HEAD_BYTES) break;
  }
  return Buffer.concat(parts).subarray(0, HEAD_BYTES);
}
