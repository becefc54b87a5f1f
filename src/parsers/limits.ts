/** Limits on hostile input, taken from the settings. */
import type { Config } from '../schema/config.ts';
import type { ParseLimits } from './contract.ts';

/** Archives are never unpacked inside archives, whatever the settings say: no source's export nests them. */
const MAX_ARCHIVE_DEPTH = 1;

export function parseLimits(
  config: Pick<
    Config,
    | 'MAX_UPLOAD_BYTES'
    | 'MAX_ARCHIVE_ENTRIES'
    | 'MAX_UNPACKED_BYTES'
    | 'MAX_ARCHIVE_RATIO'
    | 'MAX_JSON_DEPTH'
    | 'MAX_RECORD_BYTES'
  >,
): ParseLimits {
  return {
    max_upload_bytes: config.MAX_UPLOAD_BYTES,
    max_entries: config.MAX_ARCHIVE_ENTRIES,
    max_unpacked_bytes: config.MAX_UNPACKED_BYTES,
    max_ratio: config.MAX_ARCHIVE_RATIO,
    max_archive_depth: MAX_ARCHIVE_DEPTH,
    max_json_depth: config.MAX_JSON_DEPTH,
    max_record_bytes: config.MAX_RECORD_BYTES,
  };
}
