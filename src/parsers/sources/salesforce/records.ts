/**
 * Accounts, contacts, opportunities and leads as records. Fields:
 * https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_account.htm
 * and its siblings …_contact.htm, …_opportunity.htm, …_lead.htm.
 */
import type { ParsedRecord } from '../../../schema/records.ts';
import { type Fields, fullName, pick } from '../columns.ts';
import { stableHash } from '../hash.ts';
import { record } from '../record.ts';
import { isoFromAny } from '../times.ts';
import { distinct, lines } from '../values.ts';
import { type Field, valuesOf } from './fields.ts';
import { isSalesforceId, longId } from './ids.ts';
import { type Kind, ownId } from './objects.ts';

/** `instance` is the org's address, when the upload's metadata names it. */
export function crmRecord(kind: Kind, fields: ReadonlyMap<string, Field>, instance: string | null): ParsedRecord {
  const values = valuesOf(fields);
  const found = ownId(values, kind);
  const own = found === null ? null : longId(found);
  const name = nameOf(kind, values);
  const accountId = kind === 'account' ? pick(values, 'parentid', 'parentaccountid') : accountOf(values);
  const owner = pick(values, 'ownername', 'owner', `${kind}owner`, 'owneralias', 'ownerid');
  return record({
    external_id: own ?? `${kind}:${naturalKey(kind, name, values)}`,
    content_type: kind,
    title: name ?? own,
    text: lines(name, ...details(fields, name)) || (own ?? kind),
    author: owner === null ? null : owner,
    participants: distinct(kind === 'contact' || kind === 'lead' ? [name, owner] : [owner]),
    occurred_at: occurredAt(kind, values),
    url: instance === null || own === null ? null : `${instance}/${own}`,
    parent_id: accountId === null ? null : longId(accountId),
    metadata: { object: kind, ...metadata(values), id: own },
  });
}

function nameOf(kind: Kind, values: Fields): string | null {
  if (kind === 'contact' || kind === 'lead') {
    const full = fullName(pick(values, 'firstname'), pick(values, 'lastname'));
    return pick(values, 'name', `${kind}name`, 'fullname') ?? full ?? pick(values, 'email');
  }
  return pick(values, 'name', `${kind}name`);
}

function accountOf(values: Fields): string | null {
  const accountId = pick(values, 'accountid');
  return accountId !== null && isSalesforceId(accountId) ? accountId : null;
}

/**
 * Reports often leave ids out: the same person or deal in two of them still meets by what names it. People by mail
 * address, deals by name and account, accounts by name; without those by everything the row says.
 */
function naturalKey(kind: Kind, name: string | null, values: Fields): string {
  const email = pick(values, 'email')?.toLowerCase() ?? null;
  if ((kind === 'contact' || kind === 'lead') && email !== null) return stableHash(email);
  const account = pick(values, 'accountname', 'company', 'companyaccount') ?? '';
  if (name !== null) return stableHash(name.toLowerCase(), kind === 'account' ? '' : account.toLowerCase());
  const all = [...values].map(([key, value]) => `${key}=${value}`);
  return stableHash(...all.sort());
}

/** A deal is asked for by when it closes, everything else by when it came to be. */
function occurredAt(kind: Kind, values: Fields): string | null {
  const created = isoFromAny(pick(values, 'createddate', 'createdate'));
  if (kind !== 'opportunity') return created;
  return isoFromAny(pick(values, 'closedate')) ?? created;
}

/** Said by the title and by `occurred_at` already. */
const TOLD = new Set(['firstname', 'lastname', 'createddate']);

/** Every field that says something to a reader, the long text last; ids stay in the metadata. */
function details(fields: ReadonlyMap<string, Field>, name: string | null): string[] {
  const short: string[] = [];
  const long: string[] = [];
  for (const [key, { label, value }] of fields) {
    if (name !== null && TOLD.has(key)) continue;
    if (value === name || value === 'false' || (value.length < 19 && isSalesforceId(value) && /\d/.test(value)))
      continue;
    (value.length > 120 ? long : short).push(`${label}: ${value}`);
  }
  return [...short, ...long];
}

/** Cells of a kilobyte and more are in the text already. */
function metadata(values: Fields): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [key, value] of values) {
    if (value.length > 1000) continue;
    kept[key] = key.endsWith('id') ? longId(value) : value;
  }
  return kept;
}
