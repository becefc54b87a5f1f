/** Cursors of lists: the position of the last row of a page, opaque to callers. */
import { Failure } from '../schema/failures.ts';

export function encodeCursor(parts: string[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

/** Null at the beginning. Throws Failure('invalid_input') for what is no cursor of `length` parts. */
export function decodeCursor(cursor: string | undefined, length: number): string[] | null {
  if (cursor === undefined) return null;
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (Array.isArray(parts) && parts.length === length && parts.every((part) => typeof part === 'string'))
      return parts;
  } catch {
    // Falls through to the one answer for every kind of nonsense.
  }
  throw new Failure('invalid_input', 'cursor: not one that a list gave', {
    faults: [{ path: 'cursor', message: 'not one that a list gave' }],
  });
}

/** Cuts `rows`, read with one more than `limit`, to a page. */
export function pageFrom<T>(
  rows: T[],
  limit: number,
  position: (row: T) => string[],
): { items: T[]; next_cursor: string | null; truncated: boolean } {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  const truncated = rows.length > limit;
  return { items, next_cursor: truncated && last ? encodeCursor(position(last)) : null, truncated };
}
