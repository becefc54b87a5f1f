/** Secrets that callers hold: how they are made, hashed and compared. Only hashes are ever stored. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

const KEY_PREFIX = 'ost_';
/** No prefix of the other, so that each is told by its first letters. */
const AGENT_PREFIX = 'osta_';
const SHOWN_CHARACTERS = 12;

/** A new API key: 32 random bytes. `prefix` is what lists show of it. */
export function newApiKey(): { key: string; hash: Buffer; prefix: string } {
  return newSecret(KEY_PREFIX);
}

/** A new token of an agent, as long as a key and told from one by its first letters. */
export function newAgentToken(): { key: string; hash: Buffer; prefix: string } {
  return newSecret(AGENT_PREFIX);
}

function newSecret(kind: string): { key: string; hash: Buffer; prefix: string } {
  const key = `${kind}${randomBytes(32).toString('base64url')}`;
  return { key, hash: hashSecret(key), prefix: shownPrefix(key) };
}

/** Whether this was made here: nobody else knows a secret of that form, so nobody else is asked about it. */
export function isOurs(secret: string): boolean {
  return secret.startsWith(KEY_PREFIX) || secret.startsWith(AGENT_PREFIX);
}

/** A new session token, for a cookie. */
export function newSessionToken(): { token: string; hash: Buffer } {
  const token = randomBytes(32).toString('base64url');
  return { token, hash: hashSecret(token) };
}

/** SHA-256: the secrets are random and long, so a slow hash would protect nothing and cost every request. */
export function hashSecret(secret: string): Buffer {
  return createHash('sha256').update(secret, 'utf8').digest();
}

/** First characters of a key, to tell it from others; of a short or foreign one only four. */
export function shownPrefix(key: string): string {
  return isOurs(key) && key.length >= 40 ? key.slice(0, SHOWN_CHARACTERS) : key.slice(0, 4);
}

/** Takes the same time whether or not they are equal. */
export function sameBytes(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Whether two secrets are equal, in constant time whatever their lengths. */
export function sameSecret(a: string, b: string): boolean {
  return sameBytes(hashSecret(a), hashSecret(b));
}
