/** An upload as batches of records: look-ups first, then every entry in order, from any batch's end on. */
import { Failure, type FailureCode } from '../schema/failures.ts';
import type { JsonObject } from '../schema/json.ts';
import { MAX_KEPT_ERRORS, type Source } from '../schema/names.ts';
import { type EntryError, type ParsedRecord, type ResumePoint, START } from '../schema/records.ts';
import type { At, Entry, ParsedBatch, ParseLimits, RandomAccess, SourceParser, UploadParser } from './contract.ts';
import { RecordError } from './contract.ts';
import { isAboutContent, parserOf } from './inspect.ts';
import { readEntry } from './readers/entry.ts';
import type { EntryBytes, Item } from './readers/item.ts';
import { checkRecord, plain } from './readers/record.ts';
import { openUpload, type Upload } from './readers/upload.ts';

const BATCH_RECORDS = 2_000;
const BATCH_BYTES = 8 * 1024 * 1024;
/** A batch ends after so many times its bytes were read, also when little came of them: progress is seen. */
const READ_FACTOR = 8;

export interface ParseOptions {
  /** A source's name, or a parser of its own. */
  source: Source | SourceParser;
  filename: string;
  metadata?: JsonObject;
  limits: ParseLimits;
  /** `resume` of an earlier batch of the same bytes; what it yields is what the first run yielded behind it. */
  resume?: ResumePoint;
  /** A batch ends at the first element that brings it to so many records, or so many bytes of text. */
  batchRecords?: number;
  /** The same for the first batch only, for those who wait for it. */
  firstBatchRecords?: number;
  batchBytes?: number;
}

/**
 * Yields batches until one with `done`. A record, row or page that cannot be read is an error with its place; an
 * entry that breaks off keeps what came before. Throws Failure for what makes the whole upload unreadable (the codes
 * of `inspectUpload`, or a PDF that cannot be opened), and lets faults of `access` pass. Does not close `access`.
 */
export async function* parseUpload(access: RandomAccess, options: ParseOptions): AsyncGenerator<ParsedBatch> {
  const parser = parserOf(options.source);
  const { limits, filename } = options;
  const upload = await openUpload(access, { filename, parser, limits });
  const instance = parser.start({ filename, entries: upload.entries, metadata: options.metadata ?? {} });
  await feedLookups(upload, instance, parser, limits);
  const account = instance.account();
  const from = options.resume ?? START;
  const batch = createBatch(upload, account, from, options);

  for (let index = from.entry; index < upload.entries.length; index += 1) {
    const entry = upload.entries[index] as Entry;
    const lookup = instance.isLookup(entry);
    const skipped = instance.skip(entry);
    // A look-up that is skipped otherwise is read once more, for its errors to have their turn in the order.
    if (!skipped || lookup) {
      const start = index === from.entry ? from : { offset: 0, line: 1 };
      for await (const items of itemsOf(upload, index, { parser, limits, from: start })) {
        for (const item of items) {
          if (item.kind === 'bad') batch.error(entry, item.line, item.code, item.message);
          else if (!skipped) batch.take(index, entry, item, () => recordsOf(instance, item, entry));
          if (item.kind === 'bad' && item.last) batch.at(index + 1, 0, 1);
          else batch.at(index, item.end, item.endLine);
          if (batch.full()) yield batch.flush(false);
        }
      }
    }
    batch.at(index + 1, 0, 1);
    if (batch.full()) yield batch.flush(false);
  }
  yield batch.flush(true);
}

/** Every look-up whole, element by element; what cannot be read is counted when the entry's turn comes. */
async function feedLookups(
  upload: Upload,
  instance: UploadParser,
  parser: SourceParser,
  limits: ParseLimits,
): Promise<void> {
  for (const [index, entry] of upload.entries.entries()) {
    if (!instance.isLookup(entry)) continue;
    for await (const items of itemsOf(upload, index, { parser, limits, from: { offset: 0, line: 1 } })) {
      for (const item of items) {
        if (item.kind !== 'json' && item.kind !== 'row') continue;
        try {
          instance.lookup(entry, item.kind === 'json' ? item.value : item.row);
        } catch {
          // An element that its parser cannot use names nothing; it is reported as a record, if it is one.
        }
      }
    }
  }
}

/** The entry's items. In an archive a fault of one entry's content is its last item; alone it fails the upload. */
async function* itemsOf(
  upload: Upload,
  index: number,
  options: { parser: SourceParser; limits: ParseLimits; from: { offset: number; line: number } },
): AsyncGenerator<Item[]> {
  const entry = upload.entries[index] as Entry;
  const bytes: EntryBytes = upload.bytes(index);
  let end = options.from.offset;
  let line = options.from.line;
  try {
    for await (const items of readEntry(entry, bytes, { ...options, zipped: upload.zipped })) {
      const last = items.at(-1);
      if (last !== undefined) [end, line] = [last.end, last.endLine];
      yield items;
    }
  } catch (error) {
    if (!upload.zipped || !(error instanceof Failure)) throw error;
    // An encrypted PDF is one file's matter; an encrypted entry never gets here, the directory tells.
    const own = isAboutContent(error) || (entry.format === 'pdf' && error.code !== 'archive_bomb');
    if (!own) throw error;
    yield [
      { kind: 'bad', line: null, end: end + 1, endLine: line, code: error.code, message: error.message, last: true },
    ];
  }
}

function recordsOf(instance: UploadParser, item: Exclude<Item, { kind: 'bad' }>, entry: Entry): Iterable<ParsedRecord> {
  const at: At = { entry: entry.name, line: item.line ?? 1, key: item.kind === 'json' ? item.key : null };
  switch (item.kind) {
    case 'json':
      return instance.json(item.value, at, item.envelope);
    case 'row':
      return instance.row(item.row, item.headers, at);
    case 'page':
      return instance.page(item, at);
  }
}

/** What gathers between two yields. */
function createBatch(upload: Upload, account: string | null, from: ResumePoint, options: ParseOptions) {
  const source = parserOf(options.source).source;
  const batchRecords = options.batchRecords ?? BATCH_RECORDS;
  let maxRecords = Math.min(batchRecords, options.firstBatchRecords ?? batchRecords);
  const maxBytes = options.batchBytes ?? BATCH_BYTES;
  const { limits } = options;
  const before: number[] = [0];
  for (const entry of upload.entries) before.push((before.at(-1) ?? 0) + entry.size);
  const total = before.at(-1) ?? 0;
  const resume: ResumePoint = { ...from };
  let records: ParsedBatch['records'] = [];
  let errors: EntryError[] = [];
  let cause: FailureCode | null = null;
  let bytes = 0;

  const done = () => {
    const size = upload.entries[resume.entry]?.size ?? 0;
    // Pages of a PDF are not bytes; a page is progress within the entry, not a measure of it.
    return Math.min(total, (before[resume.entry] ?? total) + Math.min(size, resume.offset));
  };
  let begun = done();

  function error(entry: Entry, line: number | null, code: FailureCode, message: string): void {
    if (resume.errors < MAX_KEPT_ERRORS) errors.push({ entry: plain(entry.name), line, message: plain(message) });
    cause ??= code;
    resume.errors += 1;
  }

  return {
    error,
    /** One element's records; an exception costs the element's remaining records and nothing else. */
    take(index: number, entry: Entry, item: Item, read: () => Iterable<ParsedRecord>): void {
      try {
        for (const raw of read()) {
          try {
            const record = checkRecord(raw, source, limits.max_record_bytes);
            records.push({ ...record, entry: index });
            resume.ordinal += 1;
            bytes += record.text.length;
          } catch (fault) {
            error(entry, item.line, 'malformed', reason(fault));
          }
        }
      } catch (fault) {
        error(entry, item.line, 'malformed', reason(fault));
      }
    },
    at(entry: number, offset: number, line: number): void {
      resume.entry = entry;
      resume.offset = offset;
      resume.line = line;
    },
    full: () => records.length >= maxRecords || bytes >= maxBytes || done() - begun >= maxBytes * READ_FACTOR,
    flush(last: boolean): ParsedBatch {
      const batch: ParsedBatch = {
        account,
        records,
        errors,
        cause,
        resume: { ...resume },
        bytes_done: last ? total : done(),
        bytes_total: total,
        done: last,
      };
      records = [];
      errors = [];
      cause = null;
      bytes = 0;
      begun = done();
      maxRecords = batchRecords;
      return batch;
    },
  };
}

function reason(fault: unknown): string {
  if (fault instanceof RecordError) return fault.message;
  return `could not be read: ${fault instanceof Error ? fault.message : 'unknown fault'}`;
}
