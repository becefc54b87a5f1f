/** The structural checks of an upload: done when it arrives and again by the workflow's validate step. */
import { Failure } from '../schema/failures.ts';
import type { Source } from '../schema/names.ts';
import type { EntryFormat, ParseLimits, RandomAccess, SourceParser } from './contract.ts';
import { checkContent, headOf, openUpload } from './readers/upload.ts';
import { sourceParsers } from './sources/index.ts';

/** Entries of an archive whose first bytes are looked at. */
const SNIFFED_ENTRIES = 50;

export interface Inspection {
  format: 'zip' | EntryFormat;
  /** Entries worth reading; 1 for what is not an archive. */
  entries: number;
  unpacked_bytes: number;
}

/**
 * Reads the head, the archive's directory and the first bytes of its first entries, never the whole. `source` is a
 * source's name or a parser of its own. Throws Failure, see FAILURES: `empty_file`, `payload_too_large`, `wrong_type`,
 * `encrypted_archive`, `archive_bomb`, `unsafe_path`, `truncated_file`, `invalid_encoding`, `malformed`.
 */
export async function inspectUpload(
  access: RandomAccess,
  options: { filename: string; source: Source | SourceParser; limits: ParseLimits },
): Promise<Inspection> {
  const parser = parserOf(options.source);
  const upload = await openUpload(access, { ...options, parser });
  const [first] = upload.entries;
  const unpacked = upload.entries.reduce((sum, entry) => sum + entry.size, 0);
  if (!upload.zipped) return { format: first?.format ?? 'json', entries: 1, unpacked_bytes: unpacked };
  let refusal: Failure | null = null;
  let good = 0;
  for (const [index, entry] of upload.entries.slice(0, SNIFFED_ENTRIES).entries()) {
    try {
      checkContent(entry, await headOf(upload.bytes(index)), parser);
      good += 1;
    } catch (error) {
      // One file of many may be bad: it is reported when it is read. An archive that lies is refused as a whole.
      if (!(error instanceof Failure) || !isAboutContent(error)) throw error;
      refusal ??= error;
    }
  }
  if (good === 0 && refusal !== null && upload.entries.length <= SNIFFED_ENTRIES) throw refusal;
  return { format: 'zip', entries: upload.entries.length, unpacked_bytes: unpacked };
}

/** Faults of one entry, which leave the rest of its archive readable. */
export function isAboutContent(failure: Failure): boolean {
  return ['wrong_type', 'empty_file', 'malformed', 'invalid_encoding', 'too_deep', 'record_too_large'].includes(
    failure.code,
  );
}

export function parserOf(source: Source | SourceParser): SourceParser {
  return typeof source === 'string' ? sourceParsers[source] : source;
}
