/** Roles as other services name them. */
import { ROLES, type Role } from '../../schema/names.ts';

const MOST_ROLES = 1_000;

/**
 * The strongest role among `values`: words, objects with such a `name`, or lists of them. Words are compared exactly,
 * and a word that is no role of ours says nothing. Null when none is left.
 */
export function strongestRole(...values: unknown[]): Role | null {
  const words = new Set(values.flatMap(wordsOf));
  // ROLES stands from the strongest to the weakest.
  return ROLES.find((role) => words.has(role)) ?? null;
}

function wordsOf(value: unknown): string[] {
  const list = Array.isArray(value) ? value.slice(0, MOST_ROLES) : [value];
  return list.flatMap((entry: unknown) => {
    const word = typeof entry === 'object' && entry !== null && 'name' in entry ? entry.name : entry;
    return typeof word === 'string' ? [word] : [];
  });
}

/** A claim by its name, or by a path through objects: `https://example.com/roles`, `realm_access.roles`. */
export function claimAt(claims: Record<string, unknown>, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  let at: unknown = claims;
  for (const part of name.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, part)) return undefined;
    at = (at as Record<string, unknown>)[part];
  }
  return at;
}
