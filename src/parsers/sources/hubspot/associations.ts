/**
 * Links between records. v3: `{contacts: {results: [{id, type}]}}`; v4: `[{toObjectId}]`; engagements of v1:
 * `{contactIds: […]}`. https://developers.hubspot.com/docs/guides/crm/using-object-apis
 */
import { type Fields, keyOf, listed } from '../columns.ts';
import { distinct, id, isObject } from '../values.ts';
import { type Kind, typeOfName } from './objects.ts';

/** Ids by singular object name. */
export type Links = Record<string, string[]>;

export function linksOf(associations: unknown): Links {
  const links: Links = {};
  if (!isObject(associations)) return links;
  for (const name of Object.keys(associations)) {
    const value = associations[name];
    const entries = isObject(value) ? value.results : value;
    if (!Array.isArray(entries)) continue;
    const ids = entries.map((entry) => (isObject(entry) ? (id(entry.id) ?? id(entry.toObjectId)) : id(entry)));
    add(links, name.replace(/Ids$/, ''), ids);
  }
  return links;
}

/** `Associated Company IDs`, `Associated Contact IDs`; older exports say `Associated Company ID`. */
export function linksOfRow(fields: Fields): Links {
  const links: Links = {};
  for (const [key, cell] of fields) {
    const name = /^associated(contact|company|deal)ids?$/.exec(key)?.[1];
    if (name !== undefined) add(links, name, listed(cell));
  }
  return links;
}

function add(links: Links, name: string, ids: readonly (string | null)[]): void {
  const found = distinct(ids);
  if (found.length === 0) return;
  const type = typeOfName(keyOf(name))?.type ?? name;
  links[type] = distinct([...(links[type] ?? []), ...found]);
}

const PARENTS: Readonly<Record<Kind, readonly string[]>> = {
  company: [],
  contact: ['company'],
  deal: ['company', 'contact'],
  activity: ['deal', 'contact', 'company'],
};

/** The record this one belongs to, and what kind that is. */
export function parentOf(kind: Kind, links: Links): { id: string; type: string } | null {
  for (const type of PARENTS[kind]) {
    const parent = links[type]?.[0];
    if (parent !== undefined) return { id: parent, type };
  }
  return null;
}
