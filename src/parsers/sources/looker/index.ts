/**
 * Looker: dashboards and Looks as the API returns them, query results in JSON and CSV, dashboards as PDF.
 * https://cloud.google.com/looker/docs/reference/looker-api/latest
 */
import type { ParsedRecord } from '../../../schema/records.ts';
import type { At, SourceParser, UploadInfo, UploadParser } from '../../contract.ts';
import { RecordError } from '../../contract.ts';
import { isClutter } from '../paths.ts';
import { id, isObject, objects, type Row, str } from '../values.ts';
import { dashboardRecords, isDashboard, lookRecord } from './dashboards.ts';
import { labelsOf, pageRecord, queryIdOf, rowRecord, type Source } from './results.ts';

export const lookerParser: SourceParser = {
  source: 'looker',
  formats: ['json', 'ndjson', 'csv', 'pdf'],
  /** json_detail keeps its rows in `data`, json_bi in `rows`. */
  collections: ['data', 'rows'],
  start: (upload) => startLooker(upload),
};

function startLooker(upload: UploadInfo): UploadParser {
  const instance = str(upload.metadata.instance_url)?.replace(/\/+$/, '') ?? null;
  const given = id(upload.metadata.query_id);

  function sourceOf(at: At, envelope: Row): Source {
    return { entry: at.entry, queryId: given ?? queryIdOf(envelope), labels: labelsOf(envelope.fields) };
  }

  function* rows(values: unknown, source: Source): Iterable<ParsedRecord> {
    for (const row of objects(values)) {
      if (!isRow(row)) throw new RecordError('not a dashboard, a Look or a row of a query result');
      const found = rowRecord(row, source);
      if (found !== null) yield found;
    }
  }

  function* whole(value: Row, at: At): Iterable<ParsedRecord> {
    if (isDashboard(value)) yield* dashboardRecords(value, instance);
    else if (isLook(value)) yield lookRecord(value, instance);
    else if (Array.isArray(value.data)) yield* rows(value.data, sourceOf(at, value));
    else if (Array.isArray(value.rows)) yield* rows(value.rows, sourceOf(at, value));
    else yield* rows([value], sourceOf(at, {}));
  }

  return {
    account: () => str(upload.metadata.account) ?? instance,
    isLookup: () => false,
    lookup() {},
    skip: (entry) => isClutter(entry.name),
    *json(value, at, envelope) {
      if (value === null || value === undefined) return;
      if (!isObject(value)) throw new RecordError('not an object');
      if (at.key === null) yield* whole(value, at);
      else yield* rows([value], sourceOf(at, envelope));
    },
    row: (row, _headers, at) => rows([row], sourceOf(at, {})),
    *page(page, at) {
      const found = pageRecord(page, at.entry);
      if (found !== null) yield found;
    },
  };
}

/** A Look brings its title with its query; a row of a result never holds an object named `query` with a view. */
function isLook(value: Row): boolean {
  return (
    str(value.title) !== null &&
    isObject(value.query) &&
    (value.query.view !== undefined || value.query.model !== undefined)
  );
}

/**
 * Rows are flat: scalars, or cells of json_detail. A pivoted measure holds an object by pivot value, and then fields go
 * by their full names (`view.field`). Anything else nested is some other program's JSON.
 */
function isRow(value: Row): boolean {
  const dotted = Object.keys(value).some((key) => key.includes('.'));
  return Object.values(value).every((cell) => {
    if (Array.isArray(cell)) return false;
    return !isObject(cell) || 'value' in cell || dotted;
  });
}
