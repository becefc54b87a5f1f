/**
 * HubSpot: CSV with the portal's titles and JSON of the v3 objects API; engagements of v1 are read too.
 * https://developers.hubspot.com/docs/guides/crm/using-object-apis and
 * https://knowledge.hubspot.com/import-and-export/export-records
 */
import type { ParsedRecord } from '../../../schema/records.ts';
import type { At, SourceParser, UploadInfo, UploadParser } from '../../contract.ts';
import { RecordError } from '../../contract.ts';
import { type Fields, fieldsOf, humanised, keyOf, pick } from '../columns.ts';
import { isClutter } from '../paths.ts';
import { isoFromAny } from '../times.ts';
import { id, isObject, objects, type Row, str } from '../values.ts';
import { linksOf, linksOfRow } from './associations.ts';
import { type ObjectType, typeOfColumns, typeOfFile, typeOfName, typeOfProperties } from './objects.ts';
import { crmRecord, type Source } from './records.ts';

export const hubspotParser: SourceParser = {
  source: 'hubspot',
  formats: ['csv', 'json', 'ndjson'],
  collections: ['results'],
  start: (upload) => startHubspot(upload),
};

function startHubspot(upload: UploadInfo): UploadParser {
  const portal = id(upload.metadata.portal_id) ?? str(upload.metadata.account);
  let titled: { headers: readonly string[]; labels: Map<string, string>; type: ObjectType | null } | null = null;

  function titles(headers: readonly string[]) {
    if (titled?.headers !== headers) {
      const labels = new Map(headers.map((header) => [keyOf(header), header]));
      titled = { headers, labels, type: typeOfColumns(headers) };
    }
    return titled;
  }

  function* object(value: Row, at: At): Iterable<ParsedRecord> {
    if (isObject(value.engagement)) yield crmRecord(...engagement(value, value.engagement), portal);
    else if (Array.isArray(value.results)) for (const inner of objects(value.results)) yield* object(inner, at);
    else if (isObject(value.properties))
      yield crmRecord(typeOf(value, value.properties, at), sourceOf(value, value.properties), portal);
    else throw new RecordError('no properties: not a CRM object');
  }

  return {
    account: () => portal,
    isLookup: () => false,
    lookup() {},
    skip: (entry) => isClutter(entry.name) || entry.format === 'pdf',
    *json(value, at) {
      if (value === null || value === undefined) return;
      if (!isObject(value)) throw new RecordError('not an object');
      yield* object(value, at);
    },
    *row(row, headers, at) {
      const fields = fieldsOf(row);
      if (fields.size === 0) return;
      const { labels, type } = titles(headers);
      const found = type ?? typeOfFile(at.entry);
      if (found === null) throw new RecordError('no contact, company, deal or activity by its columns');
      yield crmRecord(rowType(found, fields), rowSource(found, fields, labels), portal);
    },
    page() {
      throw new RecordError('HubSpot exports hold no PDF');
    },
  };
}

/** What the API says, then the properties, then the file's name. */
function typeOf(value: Row, properties: Row, at: At): ObjectType {
  const named = str(value.objectType) ?? str(value.objectTypeId);
  const found = (named === null ? null : typeOfName(named)) ?? typeOfProperties(properties) ?? typeOfFile(at.entry);
  if (found === null) throw new RecordError('not a contact, company, deal or activity');
  return found;
}

function sourceOf(value: Row, properties: Row): Source {
  const flat: Record<string, unknown> = {};
  const labels = new Map<string, string>();
  for (const name in properties) {
    const property = properties[name];
    flat[name] = isObject(property) ? property.value : property;
    labels.set(keyOf(name), humanised(name.replace(/^hs_/, '')));
  }
  const fields = fieldsOf(flat);
  return {
    recordId: id(value.id) ?? pick(fields, 'hsobjectid'),
    fields,
    labels,
    links: linksOf(value.associations),
    createdAt: isoFromAny(value.createdAt),
    updatedAt: isoFromAny(value.updatedAt),
    archived: value.archived === true,
  };
}

/**
 * https://developers.hubspot.com/docs/methods/engagements/engagements-overview
 * `{engagement: {id, type, timestamp}, associations: {contactIds}, metadata: {body, subject, …}}`
 */
function engagement(value: Row, head: Row): [ObjectType, Source] {
  const type = typeOfName(str(head.type) ?? 'engagement') ?? { kind: 'activity', type: 'activity' };
  const metadata = isObject(value.metadata) ? value.metadata : {};
  const source = sourceOf({ associations: value.associations }, { ...metadata, timestamp: head.timestamp });
  return [
    { kind: 'activity', type: type.type },
    {
      ...source,
      recordId: id(head.id),
      createdAt: isoFromAny(head.createdAt),
      updatedAt: isoFromAny(head.lastUpdated),
    },
  ];
}

/** An export of all activities says in each row what it is. */
function rowType(type: ObjectType, fields: Fields): ObjectType {
  if (type.kind !== 'activity') return type;
  const named = pick(fields, 'activitytype', 'engagementtype');
  const found = named === null ? null : typeOfName(named);
  return found?.kind === 'activity' ? found : type;
}

function rowSource(type: ObjectType, fields: Fields, labels: ReadonlyMap<string, string>): Source {
  return {
    recordId: pick(
      fields,
      'recordid',
      `recordid${type.kind}`,
      `${type.kind}id`,
      'hsobjectid',
      'engagementid',
      'activityid',
      'id',
    ),
    fields,
    labels,
    links: linksOfRow(fields),
    createdAt: isoFromAny(pick(fields, 'createdate', 'createdat')),
    updatedAt: isoFromAny(pick(fields, 'lastmodifieddate', 'lastmodifieddate', 'updatedat')),
    archived: false,
  };
}
