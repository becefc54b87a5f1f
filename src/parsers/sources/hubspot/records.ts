/**
 * Contacts, companies, deals and activities as records, from properties or from columns.
 * https://developers.hubspot.com/docs/reference/api/crm/objects/contacts and siblings; activities:
 * https://developers.hubspot.com/docs/reference/api/crm/engagements/notes and siblings.
 */
import type { ParsedRecord } from '../../../schema/records.ts';
import { type Fields, fullName, pick, plain } from '../columns.ts';
import { stableHash } from '../hash.ts';
import { record } from '../record.ts';
import { isoFromAny } from '../times.ts';
import { distinct, lines } from '../values.ts';
import { type Links, parentOf } from './associations.ts';
import type { ObjectType } from './objects.ts';

export interface Source {
  recordId: string | null;
  /** Values by normalised property name or column title. */
  fields: Fields;
  /** How a reader would call each field. */
  labels: ReadonlyMap<string, string>;
  links: Links;
  createdAt: string | null;
  updatedAt: string | null;
  archived: boolean;
}

export function crmRecord(object: ObjectType, source: Source, portal: string | null): ParsedRecord {
  const { fields } = source;
  const activity = object.kind === 'activity';
  const title = titleOf(object, fields);
  const body = activity ? bodyOf(fields) : null;
  const owner = pick(
    fields,
    'hubspotownername',
    'contactowner',
    'companyowner',
    'dealowner',
    'activityassignedto',
    'assignedto',
    'hubspotownerid',
    'owner',
  );
  const parent = parentOf(object.kind, source.links);
  return record({
    external_id: source.recordId ?? naturalKey(object, title, body, fields),
    content_type: object.kind,
    title,
    text: lines(title, body, ...details(source, title, body)) || `${object.type} ${source.recordId ?? ''}`,
    author: activity ? (pick(fields, 'hsemailfromemail', 'from') ?? owner) : owner,
    participants: participants(object, title, fields, owner),
    occurred_at: occurredAt(object, source),
    url: portal === null || source.recordId === null ? null : address(object, source.recordId, portal),
    parent_id: parent?.id ?? null,
    metadata: {
      object: object.type,
      record_id: source.recordId,
      parent_type: parent?.type,
      associations: source.links,
      created_at: source.createdAt,
      updated_at: source.updatedAt,
      archived: source.archived ? true : undefined,
      properties: Object.fromEntries([...fields].filter(([, value]) => value.length <= 1000)),
    },
  });
}

function titleOf(object: ObjectType, fields: Fields): string | null {
  switch (object.kind) {
    case 'contact':
      return fullName(pick(fields, 'firstname'), pick(fields, 'lastname')) ?? pick(fields, 'name', 'email');
    case 'company':
      return pick(fields, 'name', 'companyname', 'domain', 'companydomainname');
    case 'deal':
      return pick(fields, 'dealname', 'name');
    case 'activity':
      return pick(
        fields,
        'hscalltitle',
        'hsemailsubject',
        'hsmeetingtitle',
        'hstasksubject',
        'calltitle',
        'emailsubject',
        'meetingname',
        'meetingtitle',
        'tasktitle',
        'title',
        'subject',
      );
  }
}

const BODIES = [
  'hsnotebody',
  'hscallbody',
  'hsemailtext',
  'hsemailhtml',
  'hsmeetingbody',
  'hstaskbody',
  'hscommunicationbody',
  'hsbodypreview',
  'notebody',
  'callnotes',
  'emailbody',
  'meetingdescription',
  'internalmeetingnotes',
  'tasknotes',
  'body',
  'text',
] as const;

function bodyOf(fields: Fields): string | null {
  const body = pick(fields, ...BODIES);
  return body === null ? null : plain(body);
}

/** Without a record id: people by mail address, companies by domain, deals by name, activities by what they say. */
function naturalKey(object: ObjectType, title: string | null, body: string | null, fields: Fields): string {
  const named = object.kind === 'contact' ? pick(fields, 'email') : pick(fields, 'domain', 'companydomainname');
  const key = named?.toLowerCase() ?? (object.kind === 'deal' ? title?.toLowerCase() : null);
  if (object.kind !== 'activity' && key) return `${object.kind}:${stableHash(key)}`;
  const date = pick(fields, 'hstimestamp', 'activitydate', 'createdate') ?? '';
  const all = body === null ? [...fields].map(([name, value]) => `${name}=${value}`).sort() : [date, title ?? '', body];
  return `${object.kind}:${stableHash(...all)}`;
}

const NOISE =
  /^(?:hsobjectid|recordid.*|(?:contact|company|deal)id|createdate|lastmodifieddate|hslastmodifieddate|hscreatedate|hubspotownerid|(?:hs)?timestamp|associated.*ids?|hsemailhtml|hsemailtext|hsbodypreview.*|hsanalytics.*|hsallowned.*|hs\w+hash)$/;

function details(source: Source, title: string | null, body: string | null): string[] {
  const parts: string[] = [];
  const bodies: readonly string[] = BODIES;
  for (const [key, value] of source.fields) {
    if (title !== null && (key === 'firstname' || key === 'lastname')) continue;
    if (value === title || value === 'false' || NOISE.test(key)) continue;
    if (body !== null && bodies.includes(key)) continue;
    parts.push(`${source.labels.get(key) ?? key}: ${plain(value)}`);
  }
  return parts;
}

function participants(object: ObjectType, title: string | null, fields: Fields, owner: string | null): string[] {
  if (object.kind === 'contact') return distinct([title, owner]);
  if (object.kind !== 'activity') return distinct([owner]);
  return distinct([
    owner,
    pick(fields, 'hsemailfromemail', 'from'),
    pick(fields, 'hsemailtoemail', 'to'),
    pick(fields, 'associatedcontact'),
  ]);
}

/** Activities when they took place, deals when they close, people and companies when they came to be. */
function occurredAt(object: ObjectType, source: Source): string | null {
  const { fields } = source;
  const created =
    source.createdAt ?? isoFromAny(pick(fields, 'createdate', 'hscreatedate', 'createdat', 'creationdate'));
  if (object.kind === 'activity') {
    return (
      isoFromAny(
        pick(
          fields,
          'hstimestamp',
          'hsmeetingstarttime',
          'activitydate',
          'meetingstarttime',
          'duedate',
          'date',
          'timestamp',
        ),
      ) ?? created
    );
  }
  return object.kind === 'deal' ? (isoFromAny(pick(fields, 'closedate')) ?? created) : created;
}

/** Type numbers in a record's address: https://developers.hubspot.com/docs/guides/crm/understanding-the-crm */
const PAGES: Readonly<Record<string, string>> = {
  contact: '0-1',
  company: '0-2',
  deal: '0-3',
  task: '0-27',
  note: '0-46',
  meeting: '0-47',
  call: '0-48',
  email: '0-49',
};

function address(object: ObjectType, recordId: string, portal: string): string | null {
  const page = PAGES[object.type];
  return page === undefined ? null : `https://app.hubspot.com/contacts/${portal}/record/${page}/${recordId}`;
}
