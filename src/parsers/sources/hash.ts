/** Ids for rows that carry none: a stable hash of what the row says. */
import { createHash } from 'node:crypto';

/** Hex of 32 characters over the parts, which are kept apart by an unambiguous separator. */
export function stableHash(...parts: string[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest('hex').slice(0, 32);
}
