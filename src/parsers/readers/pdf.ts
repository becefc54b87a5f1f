/** PDF: the text of each page, in memory, bounded. */
import { getDocumentProxy, getMeta } from 'unpdf';
import { Failure } from '../../schema/failures.ts';
import type { EntryBytes, Item } from './item.ts';

/** A PDF is read as a whole: its directory is at its end and points anywhere. */
const MAX_PDF_BYTES = 64 * 1024 * 1024;
/** Text kept of one page; a page of print has some 5,000 characters. */
const MAX_PAGE_TEXT = 1024 * 1024;

type Document = Awaited<ReturnType<typeof getDocumentProxy>>;

/**
 * Pages from number `from.offset` on (pages count as bytes do elsewhere: `end` is the number of pages read).
 * Throws Failure: `record_too_large`, `encrypted_archive`, `malformed`, `truncated_file`.
 */
export async function* readPdf(bytes: EntryBytes, from: { offset: number }): AsyncGenerator<Item[]> {
  if (bytes.size > MAX_PDF_BYTES) {
    throw new Failure('record_too_large', `${bytes.name} is a PDF of over ${MAX_PDF_BYTES} bytes.`);
  }
  const parts: Buffer[] = [];
  for await (const chunk of bytes.open(0)) parts.push(chunk);
  const whole = Buffer.concat(parts);
  let document: Document;
  try {
    // A copy: the library takes the bytes for itself.
    document = await getDocumentProxy(new Uint8Array(whole), { verbosity: 0 });
  } catch (error) {
    throw refusal(bytes.name, error, whole);
  }
  try {
    const title = await titleOf(document, bytes.name);
    const pages = document.numPages;
    for (let number = from.offset + 1; number <= pages; number += 1) {
      const place = { line: null, end: number, endLine: 1 };
      try {
        const text = await textOf(document, number);
        yield [{ kind: 'page', ...place, number, pages, text, title }];
      } catch {
        yield [{ kind: 'bad', ...place, code: 'malformed', message: `page ${number} cannot be read` }];
      }
    }
  } finally {
    await document.destroy();
  }
}

async function textOf(document: Document, number: number): Promise<string> {
  const page = await document.getPage(number);
  const content = await page.getTextContent();
  let text = '';
  for (const item of content.items) {
    if (!('str' in item)) continue;
    text += item.str;
    text += item.hasEOL ? '\n' : '';
    if (text.length > MAX_PAGE_TEXT) break;
  }
  page.cleanup();
  // Fonts without a mapping yield NULs and other controls where letters were.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, '').slice(0, MAX_PAGE_TEXT);
}

async function titleOf(document: Document, name: string): Promise<string> {
  const file = name.slice(name.lastIndexOf('/') + 1);
  try {
    const { info } = await getMeta(document);
    const title: unknown = info.Title;
    return typeof title === 'string' && title.trim() !== '' ? title.trim().replaceAll('\0', '') : file;
  } catch {
    return file;
  }
}

function refusal(name: string, error: unknown, bytes: Buffer): Failure {
  const kind = error instanceof Error ? error.name : '';
  if (kind === 'PasswordException') {
    return new Failure('encrypted_archive', `${name} is a PDF with a password; upload it without.`);
  }
  const ends = bytes.subarray(-2048).includes('%%EOF');
  return ends
    ? new Failure('malformed', `${name} is a PDF that cannot be read.`)
    : new Failure('truncated_file', `${name} is a PDF that ends too early.`);
}
