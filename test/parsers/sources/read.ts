/** Reads uploads of the samples and values of the tests with a source's parser. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EntryFormat, ParseLimits, SourceParser, UploadParser } from '../../../src/parsers/contract.ts';
import { RecordError } from '../../../src/parsers/contract.ts';
import { parseUpload } from '../../../src/parsers/parse-upload.ts';
import { bufferAccess } from '../../../src/parsers/readers/access.ts';
import type { JsonObject } from '../../../src/schema/json.ts';
import { SOURCES, type Source } from '../../../src/schema/names.ts';
import type { EntryError, ParsedRecord } from '../../../src/schema/records.ts';

const LIMITS: ParseLimits = {
  max_upload_bytes: 1024 ** 3,
  max_entries: 100_000,
  max_unpacked_bytes: 1024 ** 3,
  max_ratio: 200,
  max_archive_depth: 1,
  max_json_depth: 64,
  max_record_bytes: 1024 * 1024,
};

export interface Outcome {
  account: string | null;
  records: ParsedRecord[];
  errors: EntryError[];
}

export async function readUpload(
  source: Source,
  filename: string,
  bytes: Uint8Array,
  metadata: JsonObject = {},
): Promise<Outcome> {
  const outcome: Outcome = { account: null, records: [], errors: [] };
  const access = bufferAccess(Buffer.from(bytes));
  for await (const batch of parseUpload(access, { source, filename, metadata, limits: LIMITS })) {
    outcome.account = batch.account;
    outcome.records.push(...batch.records);
    outcome.errors.push(...batch.errors);
  }
  return outcome;
}

interface Sample {
  source: Source;
  path: string;
}

/** `slack/support.json` and so on are named by their source's folder. */
export async function readSample({ source, path }: Sample): Promise<Outcome> {
  const bytes = await readFile(join(import.meta.dirname, '../../../samples/data', path));
  return readUpload(source, path.slice(path.lastIndexOf('/') + 1), bytes);
}

export function sourceOf(path: string): Source {
  const source = SOURCES.find((name) => path.startsWith(`${name}/`));
  if (source === undefined) throw new RangeError(`no source for ${path}`);
  return source;
}

/** A parser over entries of these names, with nothing fed to it yet. */
export function started(
  parser: SourceParser,
  names: readonly string[] = ['upload.json'],
  metadata: JsonObject = {},
): UploadParser {
  const entries = names.map((name) => ({ name, format: formatOf(name), size: 100 }));
  return parser.start({ filename: names[0] ?? 'upload.json', entries, metadata });
}

function formatOf(name: string): EntryFormat {
  const extension = name.slice(name.lastIndexOf('.') + 1);
  return extension === 'csv' || extension === 'pdf' || extension === 'ndjson' ? extension : 'json';
}

export function fromJson(
  upload: UploadParser,
  value: unknown,
  at: { entry?: string; key?: string | null; envelope?: Record<string, unknown> } = {},
): ParsedRecord[] {
  return [...upload.json(value, { entry: at.entry ?? 'upload.json', line: 1, key: at.key ?? null }, at.envelope ?? {})];
}

export function fromRow(upload: UploadParser, row: Record<string, string>, entry = 'upload.csv'): ParsedRecord[] {
  return [...upload.row(row, Object.keys(row), { entry, line: 2, key: null })];
}

/** The one record that is expected. */
export function only(records: readonly ParsedRecord[]): ParsedRecord {
  const [first] = records;
  if (first === undefined || records.length !== 1) throw new Error(`${records.length} records instead of one`);
  return first;
}

export { RecordError };
