/**
 * Which object a record is: by its type where the API names it, by its properties, by columns, by the file's name.
 * Object types and their ids: https://developers.hubspot.com/docs/guides/crm/understanding-the-crm
 */
import { keyOf } from '../columns.ts';
import { stem } from '../paths.ts';
import type { Row } from '../values.ts';

export type Kind = 'contact' | 'company' | 'deal' | 'activity';

export interface ObjectType {
  kind: Kind;
  /** `note`, `call`, `email`, `meeting`, `task` for activities, else the kind. */
  type: string;
}

const TYPES: Readonly<Record<string, ObjectType>> = {
  contact: { kind: 'contact', type: 'contact' },
  company: { kind: 'company', type: 'company' },
  deal: { kind: 'deal', type: 'deal' },
  note: { kind: 'activity', type: 'note' },
  call: { kind: 'activity', type: 'call' },
  email: { kind: 'activity', type: 'email' },
  meeting: { kind: 'activity', type: 'meeting' },
  task: { kind: 'activity', type: 'task' },
  communication: { kind: 'activity', type: 'communication' },
  activity: { kind: 'activity', type: 'activity' },
  engagement: { kind: 'activity', type: 'activity' },
};

const NUMBERED: Readonly<Record<string, string>> = {
  '0-1': 'contact',
  '0-2': 'company',
  '0-3': 'deal',
  '0-4': 'engagement',
  '0-18': 'communication',
  '0-27': 'task',
  '0-46': 'note',
  '0-47': 'meeting',
  '0-48': 'call',
  '0-49': 'email',
};

/** `contacts`, `CONTACT`, `0-1`. */
export function typeOfName(name: string): ObjectType | null {
  const lower = name.toLowerCase();
  const single = NUMBERED[lower] ?? singular(lower);
  return Object.hasOwn(TYPES, single) ? (TYPES[single] ?? null) : null;
}

function singular(word: string): string {
  if (word.endsWith('ies')) return `${word.slice(0, -3)}y`;
  return word.endsWith('s') ? word.slice(0, -1) : word;
}

/** `hubspot-crm-exports-all-deals-2025-03-04.csv`, `companies.json`. */
export function typeOfFile(entry: string): ObjectType | null {
  for (const word of stem(entry)
    .toLowerCase()
    .split(/[^a-z]+/)) {
    const found = word === '' ? null : typeOfName(word);
    if (found !== null) return found;
  }
  return null;
}

/** Properties: https://developers.hubspot.com/docs/reference/api/crm/objects/contacts and its siblings. */
const SIGNS: readonly [name: string, properties: readonly string[]][] = [
  ['note', ['hs_note_body']],
  ['call', ['hs_call_body', 'hs_call_title', 'hs_call_status', 'hs_call_duration', 'hs_call_direction']],
  ['email', ['hs_email_subject', 'hs_email_text', 'hs_email_html', 'hs_email_direction']],
  ['meeting', ['hs_meeting_title', 'hs_meeting_body', 'hs_meeting_start_time', 'hs_meeting_outcome']],
  ['task', ['hs_task_subject', 'hs_task_body', 'hs_task_status']],
  ['communication', ['hs_communication_body', 'hs_communication_channel_type']],
  ['activity', ['hs_engagement_type', 'hs_activity_type']],
  ['deal', ['dealname', 'dealstage', 'pipeline']],
  ['contact', ['firstname', 'lastname', 'email', 'jobtitle']],
  ['company', ['domain', 'name', 'numberofemployees', 'industry']],
];

export function typeOfProperties(properties: Row): ObjectType | null {
  for (const [name, signs] of SIGNS) {
    if (signs.some((sign) => properties[sign] !== undefined)) return TYPES[name] ?? null;
  }
  return null;
}

/** Titles of the portal's exports: https://knowledge.hubspot.com/import-and-export/export-records */
const COLUMNS: readonly [name: string, titles: readonly string[]][] = [
  ['call', ['callnotes', 'calltitle', 'callduration', 'calloutcome']],
  ['email', ['emailsubject', 'emailbody']],
  ['meeting', ['meetingname', 'meetingtitle', 'meetingoutcome', 'meetingstarttime']],
  ['task', ['tasktitle', 'taskstatus', 'tasktype']],
  ['note', ['notebody']],
  ['activity', ['activitytype', 'activitydate', 'engagementtype']],
  ['deal', ['dealname', 'dealid', 'dealstage']],
  ['contact', ['contactid', 'firstname', 'lastname', 'recordidcontact']],
  ['company', ['companyid', 'companyname', 'companydomainname', 'recordidcompany', 'domain']],
  ['contact', ['email']],
];

export function typeOfColumns(headers: readonly string[]): ObjectType | null {
  const keys = new Set(headers.map(keyOf));
  for (const [name, titles] of COLUMNS) if (titles.some((title) => keys.has(title))) return TYPES[name] ?? null;
  return null;
}
