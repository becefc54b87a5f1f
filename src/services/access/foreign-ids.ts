/** Ids of callers whom another authority vouches for. */

/** Stands between the authority and its name for the caller; no id given out here holds one. */
export const FOREIGN_MARK = '|';
/** What a keyword of the engine's search attributes holds; the owner of a workflow is one. */
const MOST_CHARACTERS = 255;

/**
 * `<authority>|<subject>`, where the authority is its address without the scheme: neither an id of ours nor another
 * authority's can be the same. Null for a subject that is empty or holds control characters or half a character (rows
 * could not tell two of those apart), and for an id of more than 255 characters.
 */
export function foreignId(authority: string, subject: unknown): string | null {
  const text = typeof subject === 'number' ? String(subject) : subject;
  if (typeof text !== 'string' || text.trim() === '' || !text.isWellFormed() || /\p{Cc}/u.test(text)) return null;
  const address = authority.replace(/^https?:\/\//, '').replaceAll(FOREIGN_MARK, '%7C');
  const id = `${address}${FOREIGN_MARK}${text}`;
  return id.length <= MOST_CHARACTERS ? id : null;
}

/** A name to show: the first that is usable text, cut; else the id. */
export function shownName(id: string, ...names: unknown[]): string {
  const name = names.find((value): value is string => typeof value === 'string' && /[^\s\p{Cc}]/u.test(value));
  return (name ?? id)
    .replace(/\p{Cc}/gu, ' ')
    .trim()
    .slice(0, 200);
}
