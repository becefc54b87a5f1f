/**
 * Salesforce: CSV of Data Loader and of reports, JSON of queries and bulk jobs, NDJSON.
 * https://developer.salesforce.com/docs/platform/api-rest/guide/resources-query.md
 * https://help.salesforce.com/s/articleView?id=sf.exporting_data.htm
 *
 * Other objects: a file of an archive named for one is skipped; such a record among others is counted as unreadable.
 */
import type { ParsedRecord } from '../../../schema/records.ts';
import type { SourceParser, UploadInfo, UploadParser } from '../../contract.ts';
import { RecordError } from '../../contract.ts';
import { keyOf } from '../columns.ts';
import { isClutter } from '../paths.ts';
import { isObject, objects, type Row, str } from '../values.ts';
import { type Field, flatten, valuesOf } from './fields.ts';
import { isSalesforceId } from './ids.ts';
import { isOtherObject, type Kind, kindOfColumns, kindOfId, kindOfName, kindOfType, ownId } from './objects.ts';
import { crmRecord } from './records.ts';
import { isFooter } from './report.ts';

export const salesforceParser: SourceParser = {
  source: 'salesforce',
  formats: ['csv', 'json', 'ndjson'],
  collections: ['records'],
  isFooter: (field, headers) => isFooter({ [headers[0] ?? '']: field }, headers),
  start: (upload) => startSalesforce(upload),
};

function startSalesforce(upload: UploadInfo): UploadParser {
  const instance = str(upload.metadata.instance_url)?.replace(/\/+$/, '') ?? null;
  let headers: { list: readonly string[]; keys: ReadonlySet<string> } | null = null;

  /** A file's titles decide for all its rows: an empty cell must not change what a row is. */
  function titles(list: readonly string[]): ReadonlySet<string> {
    if (headers?.list !== list) headers = { list, keys: new Set(list.map(keyOf)) };
    return headers.keys;
  }

  function decide(fields: ReadonlyMap<string, Field>, known: Pick<ReadonlySet<string>, 'has'>, entry: string): Kind {
    const values = valuesOf(fields);
    const own = ownId(values, null);
    const byId = own !== null && isSalesforceId(own) ? kindOfId(own) : null;
    if (byId !== null && byId !== 'other') return byId;
    if (byId === 'other') throw new RecordError('not an account, contact, opportunity or lead');
    const kind = kindOfName(entry) ?? kindOfColumns(known);
    if (kind === null) throw new RecordError('no account, contact, opportunity or lead by its columns');
    return kind;
  }

  function* object(value: Row, entry: string): Iterable<ParsedRecord> {
    const type = isObject(value.attributes) ? str(value.attributes.type) : null;
    const fields = flatten(value);
    const kind = type === null ? decide(fields, fields, entry) : kindOfType(type);
    if (kind === null) throw new RecordError(`${type} is not an account, contact, opportunity or lead`);
    yield crmRecord(kind, fields, instance);
    /* Subqueries (`Contacts: {records: […]}`) hold records of their own. */
    for (const name in value) {
      const inner = value[name];
      if (isObject(inner) && Array.isArray(inner.records)) yield* children(inner.records, value, type, entry);
    }
  }

  function* children(values: unknown, parent: Row, type: string | null, entry: string): Iterable<ParsedRecord> {
    for (const child of objects(values)) {
      const childType = isObject(child.attributes) ? str(child.attributes.type) : null;
      if (childType === null || kindOfType(childType) === null) continue;
      const linked = type === 'Account' && child.AccountId === undefined ? { AccountId: parent.Id, ...child } : child;
      yield* object(linked, entry);
    }
  }

  return {
    account: () => str(upload.metadata.organization_id) ?? str(upload.metadata.account),
    isLookup: () => false,
    lookup() {},
    skip: (entry) =>
      isClutter(entry.name) || entry.format === 'pdf' || (upload.entries.length > 1 && isOtherObject(entry.name)),
    *json(value, at) {
      if (value === null || value === undefined) return;
      if (!isObject(value)) throw new RecordError('not an object');
      if (Array.isArray(value.records)) for (const inner of objects(value.records)) yield* object(inner, at.entry);
      else yield* object(value, at.entry);
    },
    *row(row, list, at) {
      const fields = flatten(row);
      if (fields.size === 0 || isFooter(row, list)) return;
      yield crmRecord(decide(fields, titles(list), at.entry), fields, instance);
    },
    page() {
      throw new RecordError('Salesforce exports hold no PDF');
    },
  };
}
