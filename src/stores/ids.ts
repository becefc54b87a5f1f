/** Ids that are derived, so that the same thing always meets in the same row. */
import { createHash } from 'node:crypto';

/** Namespace of every derived id of this program (RFC 9562, section 5.5). */
const NAMESPACE = Buffer.from('6f1d5a52c7d94f0a9a3d0b7f6c2e41d8', 'hex');

/** UUID version 5 of `name` in the program's namespace. */
export function uuidV5(name: string): string {
  const digest = createHash('sha1').update(NAMESPACE).update(name).digest();
  digest[6] = ((digest[6] ?? 0) & 0x0f) | 0x50;
  digest[8] = ((digest[8] ?? 0) & 0x3f) | 0x80;
  return formatUuid(digest);
}

/** The first 16 bytes as a UUID. */
export function formatUuid(bytes: Buffer): string {
  const hex = bytes.toString('hex', 0, 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}

/**
 * A record's id: the same item of the same account of the same owner is one row, whichever export brought it.
 * The parts are joined by a character that cannot stand in any of them.
 */
export function recordId(
  owner: string,
  source: string,
  account: string,
  contentType: string,
  externalId: string,
): string {
  return uuidV5(`${owner}\u0000${source}\u0000${account}\u0000${contentType}\u0000${externalId}`);
}
