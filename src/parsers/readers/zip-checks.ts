/** What an archive's entry may be: safe names, no encryption, no links, no archives inside, no bombs. */
import yauzl from 'yauzl';
import { Failure } from '../../schema/failures.ts';
import type { ParseLimits } from '../contract.ts';

/** Below this unpacked size a high ratio is harmless (a short repetitive file packs well). */
const RATIO_FROM_BYTES = 1024 * 1024;
const NESTED = /\.(zip|7z|rar|tar|tgz|gz|bz2|xz|zst|jar)$/i;
const STORED = 0;
const DEFLATED = 8;
const UNIX = 3;
const FILE_TYPE = 0o170000;
const SYMLINK = 0o120000;
const REGULAR = 0o100000;
const FOLDER = 0o040000;

/** The entry's name as text. Throws Failure('unsafe_path') for a name that could lead out of a folder. */
export function checkName(entry: yauzl.Entry): string {
  const name = yauzl.getFileNameLowLevel(entry.generalPurposeBitFlag, entry.fileNameRaw, entry.extraFields, true);
  const unsafe =
    yauzl.validateFileName(name) !== null ||
    // cp437 shows control characters as pictures; the raw bytes tell.
    entry.fileNameRaw.some((byte) => byte < 0x20 || byte === 0x7f);
  if (unsafe) throw new Failure('unsafe_path', `The archive holds an unsafe path: ${JSON.stringify(shorten(name))}.`);
  return name;
}

/** Throws Failure for an entry that must not be read; see the codes in the messages' kinds. */
export function checkEntry(entry: yauzl.Entry, name: string, limits: ParseLimits): void {
  if (entry.isEncrypted()) {
    throw new Failure('encrypted_archive', 'The archive is encrypted; upload it without a password.');
  }
  const type = entry.versionMadeBy >>> 8 === UNIX ? (entry.externalFileAttributes >>> 16) & FILE_TYPE : 0;
  if (type === SYMLINK) throw new Failure('unsafe_path', `The archive holds a link: ${shorten(name)}.`);
  if (type !== 0 && type !== REGULAR && type !== FOLDER) {
    throw new Failure('unsafe_path', `The archive holds what is neither a file nor a folder: ${shorten(name)}.`);
  }
  if (name.endsWith('/')) return;
  if (limits.max_archive_depth <= 1 && NESTED.test(name) && !isClutter(name)) {
    throw new Failure('archive_bomb', `The archive holds another archive: ${shorten(name)}.`);
  }
  const { compressedSize, uncompressedSize } = entry;
  if (uncompressedSize > limits.max_unpacked_bytes) {
    throw new Failure('archive_bomb', `${shorten(name)} unpacks to over ${limits.max_unpacked_bytes} bytes.`);
  }
  if (uncompressedSize > RATIO_FROM_BYTES && uncompressedSize > compressedSize * limits.max_ratio) {
    throw new Failure('archive_bomb', `${shorten(name)} unpacks to more than ${limits.max_ratio} times its size.`);
  }
  if (entry.compressionMethod !== STORED && entry.compressionMethod !== DEFLATED) {
    throw new Failure('malformed', `${shorten(name)} is packed by a method that is not read here.`);
  }
}

/** What operating systems leave in archives, and names that name nothing. */
export function isClutter(name: string): boolean {
  if (name === '' || name.startsWith('__MACOSX/')) return true;
  const last = name.slice(name.lastIndexOf('/') + 1);
  return last === '.DS_Store' || last === 'Thumbs.db' || last === 'desktop.ini' || last.startsWith('._');
}

function shorten(name: string): string {
  return name.length > 200 ? `${name.slice(0, 200)}…` : name;
}
