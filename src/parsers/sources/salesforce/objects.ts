/**
 * Which object a record is: by `attributes.type`, by its id's key prefix, by the file's name, by its columns.
 * Standard objects: https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/
 * Key prefixes (001, 003, 006, 00Q) are EntityDefinition.KeyPrefix:
 * https://developer.salesforce.com/docs/atlas.en-us.api_tooling.meta/api_tooling/tooling_api_objects_entitydefinition.htm
 */
import type { Fields } from '../columns.ts';
import { pick } from '../columns.ts';
import { stem } from '../paths.ts';

const KINDS = ['account', 'contact', 'opportunity', 'lead'] as const;
export type Kind = (typeof KINDS)[number];

const PREFIXES: Readonly<Record<string, Kind>> = {
  '001': 'account',
  '003': 'contact',
  '006': 'opportunity',
  '00Q': 'lead',
};

/** An id of another object is no record of ours; no id leaves the question to the columns. */
export function kindOfId(recordId: string | null): Kind | 'other' | null {
  if (recordId === null) return null;
  return PREFIXES[recordId.slice(0, 3)] ?? 'other';
}

export function kindOfType(type: string): Kind | null {
  return KINDS.find((kind) => kind === type.toLowerCase()) ?? null;
}

/** `Account.csv`, `contacts-2025.json`, `sf_opportunities.csv`. */
export function kindOfName(entry: string): Kind | null {
  const words = words_(entry);
  for (const kind of KINDS) {
    const plural = kind === 'opportunity' ? 'opportunities' : `${kind}s`;
    if (words.at(0) === kind || words.at(0) === plural || words.includes(plural)) return kind;
  }
  return null;
}

function words_(entry: string): string[] {
  return stem(entry)
    .toLowerCase()
    .split(/[^a-z]+/)
    .filter((word) => word !== '');
}

/** Files of the weekly data export that hold other objects: read as nothing rather than as thousands of errors. */
const OTHERS = new Set([
  'attachment',
  'asset',
  'campaign',
  'campaignmember',
  'case',
  'casecomment',
  'contentdocument',
  'contentversion',
  'contract',
  'emailmessage',
  'event',
  'feeditem',
  'group',
  'note',
  'opportunitylineitem',
  'order',
  'orderitem',
  'pricebook',
  'pricebookentry',
  'product',
  'quote',
  'recordtype',
  'solution',
  'task',
  'user',
  'userrole',
  'opportunitycontactrole',
  'opportunityhistory',
  'accounthistory',
  'contacthistory',
  'leadhistory',
]);

export function isOtherObject(entry: string): boolean {
  const name = stem(entry).toLowerCase().replace(/\d+$/, '');
  return OTHERS.has(name) || OTHERS.has(name.replace(/s$/, ''));
}

/** Columns that only one object has count double those that hint. */
const SIGNS: Readonly<Record<Kind, { own: readonly string[]; hint: readonly string[] }>> = {
  opportunity: {
    own: [
      'opportunityid',
      'opportunityname',
      'stagename',
      'closedate',
      'opportunityowner',
      'forecastcategory',
      'probability',
      'probability%',
    ],
    hint: ['stage', 'amount', 'nextstep', 'iswon', 'isclosed', 'fiscalperiod', 'expectedrevenue'],
  },
  lead: {
    own: ['leadid', 'leadstatus', 'leadowner', 'isconverted', 'companyaccount', 'converteddate', 'convertedaccountid'],
    hint: ['company', 'status', 'leadsource', 'rating', 'lastname', 'email'],
  },
  contact: {
    own: [
      'contactid',
      'contactowner',
      'reportstoid',
      'mailingstreet',
      'mailingcity',
      'mailingcountry',
      'contactname',
      'fullname',
    ],
    hint: [
      'lastname',
      'firstname',
      'email',
      'department',
      'accountid',
      'accountname',
      'birthdate',
      'title',
      'mobilephone',
    ],
  },
  account: {
    own: [
      'accountowner',
      'accountnumber',
      'numberofemployees',
      'employees',
      'annualrevenue',
      'billingcity',
      'billingcountry',
      'tickersymbol',
      'accountsite',
      'billingstateprovince',
    ],
    hint: ['accountname', 'accountid', 'industry', 'website', 'type', 'name', 'parentid', 'rating'],
  },
};

/** The best guess from the titles, or null when too little speaks for any. */
export function kindOfColumns(fields: Pick<Fields, 'has'>): Kind | null {
  let best: Kind | null = null;
  let most = 1;
  for (const kind of ['opportunity', 'lead', 'contact', 'account'] as const) {
    let score = 0;
    for (const key of SIGNS[kind].own) if (fields.has(key)) score += 2;
    for (const key of SIGNS[kind].hint) if (fields.has(key)) score += 1;
    if (score > most) [best, most] = [kind, score];
  }
  return best;
}

/** The record's own id, under whichever title. */
export function ownId(fields: Fields, kind: Kind | null): string | null {
  const own = pick(fields, 'id', 'recordid');
  if (own !== null) return own;
  return kind === null ? null : pick(fields, `${kind}id`);
}
