/** The one rule for object keys, so that every store accepts and refuses the same ones. */
import { isBucketName } from '../../schema/data-places.ts';
import { Failure } from '../../schema/failures.ts';

/** S3 counts 1,024 bytes; keys here are ASCII, so characters are bytes. */
const MAX_KEY = 1_024;
/** Common file systems refuse longer names. */
const MAX_PART = 255;
const PART = /^[A-Za-z0-9._-]+$/;

/** The parts of a key. Throws Failure('invalid_input') for an empty, `.` or `..` part or a foreign character. */
export function keyParts(key: string): string[] {
  const parts = key.split('/');
  if (key.length > MAX_KEY || !parts.every(isPart)) {
    throw new Failure('invalid_input', `Not an object key: ${JSON.stringify(key.slice(0, 200))}`);
  }
  return parts;
}

/** Checks a prefix: a key whose last part may be cut short or empty; `''` is every object. */
export function checkPrefix(prefix: string): void {
  const parts = prefix.split('/');
  const last = parts.pop() ?? '';
  // `.` and `..` are fine as the start of a longer name, since a prefix is only compared with, never opened.
  if (prefix.length > MAX_KEY || !parts.every(isPart) || (last !== '' && !PART.test(last))) {
    throw new Failure('invalid_input', `Not an object prefix: ${JSON.stringify(prefix.slice(0, 200))}`);
  }
}

/** Keys that others made: any characters but control ones, and no part that a server or a proxy could resolve. */
export function checkAnyKey(key: string): void {
  const parts = key.split('/');
  if (Buffer.byteLength(key) > MAX_KEY || /\p{Cc}/u.test(key) || parts.some((part) => ['', '.', '..'].includes(part))) {
    throw new Failure('invalid_input', `Not an object key: ${JSON.stringify(key.slice(0, 200))}`);
  }
}

/** Bucket names as S3 takes them; a folder of that name never collides with the store's own folders. */
export function checkBucket(bucket: string): void {
  if (!isBucketName(bucket)) {
    throw new Failure('invalid_input', `Not a bucket name: ${JSON.stringify(bucket.slice(0, 200))}`);
  }
}

/** Throws Failure('invalid_input') unless `0 <= start <= end`, both whole numbers. */
export function checkRange(range: { start: number; end: number }): void {
  const { start, end } = range;
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start) {
    throw new Failure('invalid_input', `Not a byte range: ${start} to ${end}`);
  }
}

export function missing(key: string): Failure {
  return new Failure('not_found', `No object ${key}`);
}

function isPart(part: string): boolean {
  return PART.test(part) && part !== '.' && part !== '..' && part.length <= MAX_PART;
}
