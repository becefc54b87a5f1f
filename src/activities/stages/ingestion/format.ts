/** Tells how a file is to be read, by what was said, by its name, and by its first bytes. */
import { open } from 'node:fs/promises';
import { Failure } from '../../../schema/failures.ts';
import { FILE_FORMATS, type FileFormat } from '../../../schema/stages/common.ts';
import type { Reading } from '../../../schema/stages/ingestion.ts';
import type { SourceFile } from './sources.ts';

const HEAD_BYTES = 64 * 1024;
const BY_EXTENSION: Record<string, FileFormat> = {
  csv: 'csv',
  tsv: 'csv',
  txt: 'csv',
  json: 'json',
  ndjson: 'ndjson',
  jsonl: 'ndjson',
  parquet: 'parquet',
};
const DELIMITERS = [',', ';', '\t', '|'];

export interface Told {
  format: FileFormat;
  /** Of CSV. */
  delimiter: string;
}

/** All files of one source are of one format: the first one's. Throws Failure('empty_file'). */
export async function tellFormat(files: readonly SourceFile[], reading: Reading): Promise<Told> {
  const [first] = files;
  if (!first) throw new Failure('invalid_input', 'There is no file to read');
  const head = await readHead(first);
  const named = reading.format === undefined ? extensionOf(first.label) : undefined;
  const format = formatOf(reading.format) ?? named ?? formatByContent(head);
  for (const file of files) {
    const other = extensionOf(file.label);
    if (named !== undefined && other !== undefined && other !== named) {
      throw new Failure(
        'wrong_type',
        `${first.label} is ${named} and ${file.label} is ${other}: give them stages of their own`,
      );
    }
  }
  const tabs = reading.format === 'tsv' || (reading.format === undefined && /\.tsv(\.gz)?$/i.test(first.label));
  return { format, delimiter: reading.delimiter ?? (tabs ? '\t' : delimiterOf(head)) };
}

function formatOf(said: Reading['format']): FileFormat | undefined {
  if (said === 'jsonl') return 'ndjson';
  if (said === 'tsv') return 'csv';
  return FILE_FORMATS.find((format) => format === said);
}

function extensionOf(label: string): FileFormat | undefined {
  const extension = /\.([a-z0-9]+)(\.(gz|zst))?$/i.exec(label)?.[1]?.toLowerCase();
  return extension === undefined ? undefined : BY_EXTENSION[extension];
}

function formatByContent(head: Buffer): FileFormat {
  if (head.subarray(0, 4).toString('latin1') === 'PAR1') return 'parquet';
  const text = head
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .trimStart();
  if (text.startsWith('[')) return 'json';
  if (!text.startsWith('{')) return 'csv';
  const line = text.split('\n', 1)[0] ?? '';
  return isJson(line) && line.length < text.trimEnd().length ? 'ndjson' : 'json';
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The sign that the first line has most of, outside quotes. */
function delimiterOf(head: Buffer): string {
  const line = (head.toString('utf8').split(/\r?\n/, 1)[0] ?? '').replace(/"(?:[^"]|"")*"/g, '');
  const counts = DELIMITERS.map((delimiter) => line.split(delimiter).length - 1);
  const most = Math.max(...counts);
  return most === 0 ? ',' : (DELIMITERS[counts.indexOf(most)] ?? ',');
}

async function readHead(file: SourceFile): Promise<Buffer> {
  const handle = await open(file.path, 'r');
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    if (bytesRead === 0) throw new Failure('empty_file', `${file.label} is empty`);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
