/** The SELECT that reads source files, and what to say when they cannot be read. */
import { Failure } from '../../../schema/failures.ts';
import type { FileFormat } from '../../../schema/stages/common.ts';
import type { Reading } from '../../../schema/stages/ingestion.ts';
import { list, literal, name } from '../quote.ts';
import type { Told } from './format.ts';
import type { SourceFile } from './sources.ts';

export interface ReadOptions {
  /** Rows that cannot be read are left out and noted in `reject_errors`. */
  rejects?: boolean;
  /** Looks at every row to find the types, not only at the first. */
  thorough?: boolean;
  /** Adds the file's path as `__file`. */
  filename?: boolean;
}

/** A call of the reading function for these files. */
export function readCall(
  files: readonly SourceFile[],
  told: Told,
  reading: Reading,
  options: ReadOptions = {},
): string {
  const several = files.length > 1 ? ['union_by_name=true'] : [];
  const filename = options.filename ? ["filename='__file'"] : [];
  const args = [list(files.map((file) => file.path)), ...argsOf(told, reading, options), ...several, ...filename];
  return `${FUNCTIONS[told.format]}(${args.join(', ')})`;
}

const FUNCTIONS: Record<FileFormat, string> = {
  csv: 'read_csv',
  json: 'read_json',
  ndjson: 'read_json',
  parquet: 'read_parquet',
};

function argsOf(told: Told, reading: Reading, options: ReadOptions): string[] {
  if (told.format === 'parquet') return [];
  const sample = options.thorough ? ['sample_size=-1'] : [];
  if (told.format !== 'csv') {
    return [
      `format=${told.format === 'ndjson' ? "'newline_delimited'" : "'auto'"}`,

      ...sample,
    ];
  }
  return [
    `delim=${literal(told.delimiter)}`,
    `quote=${literal(reading.quote ?? '"')}`,
    `escape=${literal(reading.escape ?? reading.quote ?? '"')}`,
    `header=${reading.header ?? true}`,
    `nullstr=${list(reading.null_strings ?? [''])}`,
    ...(reading.encoding === undefined ? [] : [`encoding=${literal(reading.encoding)}`]),
    ...(reading.all_text ? ['all_varchar=true'] : []),
    ...(reading.schema === undefined
      ? []
      : [
          `types={${Object.entries(reading.schema)
            .map(([column, type]) => `${literal(column)}: ${literal(type)}`)
            .join(', ')}}`,
        ]),
    ...(options.rejects ? ['store_rejects=true', 'rejects_limit=0'] : []),
    ...sample,
  ];
}

/** CSV gives the types while reading; the others are cast. */
export function castsOf(format: FileFormat, schema: Reading['schema']): string {
  if (format === 'csv' || schema === undefined) return '';
  const casts = Object.entries(schema).map(([column, type]) => `CAST(${name(column)} AS ${type}) AS ${name(column)}`);
  return ` REPLACE (${casts.join(', ')})`;
}

/** The engine's long words about a file, as one sentence with file and line. */
export function readFailure(error: unknown): unknown {
  if (!(error instanceof Failure) || error.code !== 'malformed') return error;
  const text = error.message.replace(/^data: /, '');
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
  const file = /\bfile "([^"]+)"/.exec(text)?.[1] ?? /\bfile ?= ?(.+)/.exec(text)?.[1]?.trim();
  const line = /\b[lL]ine: (\d+)/.exec(text)?.[1] ?? /\bline (\d+)/.exec(text)?.[1];
  const reason =
    lines.find(
      (entry) => !/^(Invalid Input Error: )?CSV Error on Line|^Original Line|^LINE \d|^\^|^Possible/.test(entry),
    ) ?? text;
  const where = [file, line === undefined ? undefined : `line ${line}`].filter(Boolean).join(', ');
  const code = /unicode|encoding/i.test(reason) ? 'invalid_encoding' : 'malformed';
  const said = reason.replace(/^[A-Z][A-Za-z ]+ Error: /, '');
  const told = said.includes(file ?? '') && said.includes(`line ${line ?? ''}`);
  return new Failure(code, where && !told ? `${where}: ${said}` : said);
}
