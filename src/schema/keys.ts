/** Symmetric keys as settings hold them. */

/** 32 bytes from 64 hex digits or base64; throws on any other length. */
export function parseKey(text: string): Buffer {
  const key = Buffer.from(text, /^[0-9a-f]{64}$/i.test(text) ? 'hex' : 'base64');
  if (key.length !== 32) throw new Error('a key must be 32 bytes as 64 hex digits or base64');
  return key;
}
