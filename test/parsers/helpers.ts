/** Small parsers, archives and readers that the parser tests share. */
import { Readable } from 'node:stream';
import yazl from 'yazl';
import type { EntryFormat, ParsedBatch, ParseLimits, RandomAccess, SourceParser } from '../../src/parsers/contract.ts';
import { RecordError } from '../../src/parsers/contract.ts';
import { type ParseOptions, parseUpload } from '../../src/parsers/parse-upload.ts';
import { bufferAccess } from '../../src/parsers/readers/access.ts';
import type { ParsedRecord } from '../../src/schema/records.ts';

export const LIMITS: ParseLimits = {
  max_upload_bytes: 1024 ** 3,
  max_entries: 1000,
  max_unpacked_bytes: 1024 ** 3,
  max_ratio: 200,
  max_archive_depth: 1,
  max_json_depth: 64,
  max_record_bytes: 256 * 1024,
};

export function record(id: string, text: string, metadata: ParsedRecord['metadata'] = {}): ParsedRecord {
  return {
    external_id: id,
    content_type: 'message',
    title: null,
    text,
    author: null,
    participants: [],
    occurred_at: null,
    url: null,
    parent_id: null,
    metadata,
  };
}

/** A source of our own: a value with `id` and `text` is a record, look-ups name people, `boom` throws. */
export function fakeParser(
  formats: readonly EntryFormat[] = ['json', 'csv', 'pdf'],
  collections = ['records'],
): SourceParser {
  return {
    source: 'slack',
    formats,
    collections,
    start() {
      const names = new Map<string, string>();
      return {
        account: () => names.get('account') ?? null,
        isLookup: (entry) => entry.name.endsWith('users.json'),
        lookup(_entry, value) {
          const { id, name } = value as { id: string; name: string };
          names.set(id, name);
        },
        skip: (entry) => entry.name.endsWith('users.json') || entry.name.includes('skip'),
        *json(value, at, envelope) {
          if (typeof value !== 'object' || value === null) throw new RecordError('not an object');
          const { id, text, times, boom } = value as { id?: number; text?: string; times?: number; boom?: boolean };
          if (boom) throw new TypeError('boom');
          for (let n = 0; n < (times ?? 1); n += 1) {
            yield record(`${at.entry}:${id}:${n}`, text ?? `text ${id} ${names.get(String(id)) ?? ''}`, {
              line: at.line,
              key: at.key,
              envelope: JSON.parse(JSON.stringify(envelope)),
            });
          }
        },
        *row(row, headers, at) {
          yield record(`${at.entry}:${row[headers[0] ?? '']}`, Object.values(row).join(' '), { ...row, line: at.line });
        },
        *page(page, at) {
          yield record(`${at.entry}:${page.number}`, page.text, { title: page.title, pages: page.pages });
        },
      };
    },
  };
}

export interface Run {
  batches: ParsedBatch[];
  records: ParsedBatch['records'];
  errors: ParsedBatch['errors'];
}

export async function run(
  input: RandomAccess | Buffer | string,
  options: Partial<ParseOptions> & { filename: string },
): Promise<Run> {
  const access = typeof input === 'string' ? bufferAccess(Buffer.from(input)) : input;
  const batches: ParsedBatch[] = [];
  const all = { source: fakeParser(), limits: LIMITS, ...options };
  for await (const batch of parseUpload(Buffer.isBuffer(access) ? bufferAccess(access) : access, all))
    batches.push(batch);
  return {
    batches,
    records: batches.flatMap((batch) => batch.records),
    errors: batches.flatMap((batch) => batch.errors),
  };
}

/** Hands the bytes out in chunks of `size`. */
export function choppedAccess(bytes: Buffer, size: number): RandomAccess {
  return {
    ...bufferAccess(bytes),
    async *stream(offset, length) {
      const end = length === undefined ? bytes.length : Math.min(bytes.length, offset + length);
      for (let at = offset; at < end; at += size) yield bytes.subarray(at, Math.min(end, at + size));
    },
  };
}

export async function zipOf(
  files: Record<string, string | Buffer>,
  options: { mode?: number; compress?: boolean; forceZip64Format?: boolean } = {},
): Promise<Buffer> {
  const zip = new yazl.ZipFile();
  for (const [name, content] of Object.entries(files)) {
    if (name.endsWith('/')) zip.addEmptyDirectory(name);
    else zip.addBuffer(Buffer.from(content as string), name, options);
  }
  zip.end({ forceZip64Format: options.forceZip64Format ?? false, comment: '' });
  const parts: Buffer[] = [];
  for await (const part of Readable.from(zip.outputStream)) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

/** The smallest PDF with one line of text a page. */
export function pdfOf(pages: string[], title = 'Quarterly numbers'): Buffer {
  const objects: string[] = [];
  const kids = pages.map((_, index) => `${4 + index * 2} 0 R`).join(' ');
  objects.push('<< /Type /Catalog /Pages 2 0 R >>');
  objects.push(`<< /Type /Pages /Kids [${kids}] /Count ${pages.length} >>`);
  objects.push('<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>');
  for (const [index, text] of pages.entries()) {
    const content = `BT /F1 12 Tf 72 720 Td (${text}) Tj ET`;
    objects.push(
      `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents ${5 + index * 2} 0 R /Resources << /Font << /F1 3 0 R >> >> >>`,
    );
    objects.push(`<< /Length ${content.length} >>\nstream\n${content}\nendstream`);
  }
  objects.push(`<< /Title (${title}) >>`);
  let body = '%PDF-1.4\n';
  const offsets = objects.map((object, index) => {
    const offset = body.length;
    body += `${index + 1} 0 obj\n${object}\nendobj\n`;
    return offset;
  });
  const xref = body.length;
  body += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n`;
  body += offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  body += `trailer\n<< /Size ${objects.length + 1} /Root 1 0 R /Info ${objects.length} 0 R >>\nstartxref\n${xref}\n%%EOF\n`;
  return Buffer.from(body, 'latin1');
}
