/** The one switch from an entry's format to its reader. */
import type { Entry, ParseLimits, SourceParser } from '../contract.ts';
import { readCsv } from './csv.ts';
import type { EntryBytes, From, Item } from './item.ts';
import { readJson } from './json.ts';
import { readPdf } from './pdf.ts';
import { HEAD_BYTES } from './sniff.ts';
import { checkContent } from './upload.ts';

/**
 * Items of an entry from `from` on. An archive's entry is first looked at, because only its name spoke for it so far.
 * Throws Failure for what makes the entry unreadable as a whole.
 */
export async function* readEntry(
  entry: Entry,
  bytes: EntryBytes,
  options: { parser: SourceParser; limits: ParseLimits; from: From; zipped: boolean },
): AsyncGenerator<Item[]> {
  const { parser, limits, from } = options;
  const checked = options.zipped && from.offset === 0 ? sniffed(entry, bytes, parser) : bytes;
  if (entry.format === 'csv')
    yield* readCsv(checked, { limits, from, ...(parser.isFooter ? { isFooter: parser.isFooter } : {}) });
  else if (entry.format === 'pdf') yield* readPdf(checked, from);
  else {
    yield* readJson(checked, { limits, from, collections: parser.collections, lines: entry.format === 'ndjson' });
  }
}

/** The same bytes; the first time they are opened their head is checked on its way through. */
function sniffed(entry: Entry, bytes: EntryBytes, parser: SourceParser): EntryBytes {
  let checked = false;
  return {
    ...bytes,
    async *open(offset) {
      if (checked) {
        yield* bytes.open(offset);
        return;
      }
      checked = true;
      let head: Buffer[] | null = [];
      let size = 0;
      for await (const chunk of bytes.open(offset)) {
        if (head === null) {
          yield chunk;
          continue;
        }
        head.push(chunk);
        size += chunk.length;
        if (size < HEAD_BYTES) continue;
        const held: Buffer[] = head;
        head = null;
        checkContent(entry, Buffer.concat(held).subarray(0, HEAD_BYTES), parser);
        yield* held;
      }
      if (head === null) return;
      checkContent(entry, Buffer.concat(head), parser);
      yield* head;
    },
  };
}
