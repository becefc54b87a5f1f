/** Sealing of stored secrets with AES-256-GCM under MASTER_KEY. */
import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import type { Config } from '../../schema/config.ts';
import { Failure } from '../../schema/failures.ts';
import { parseKey } from '../../schema/keys.ts';

/** Byte 0 of everything sealed this way: version, key id, nonce, tag, ciphertext. */
const VERSION = 1;
const KEY_ID_BYTES = 8;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEAD_BYTES = 1 + KEY_ID_BYTES + NONCE_BYTES + TAG_BYTES;

export type MasterKey = Pick<Config, 'MASTER_KEY'> & Partial<Pick<Config, 'MASTER_KEY_PREVIOUS'>>;

/** To whom a secret belongs and what it is called: sealed for one place, it opens in no other. */
export interface SealedFor {
  owner: string;
  name: string;
}

/** Throws Failure('unsealable') without MASTER_KEY. */
export function seal(config: MasterKey, place: SealedFor, secret: string): Buffer {
  const { key, id } = keyOf(config);
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(associated(id, place));
  const text = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
  return Buffer.concat([Buffer.from([VERSION]), id, nonce, cipher.getAuthTag(), text]);
}

/**
 * What MASTER_KEY or MASTER_KEY_PREVIOUS sealed. Throws Failure('unsealable') that says whether it was another key, or
 * what is stored was altered.
 */
export function open(config: MasterKey, place: SealedFor, sealed: Buffer): string {
  const keys = [keyOf(config), ...previousOf(config)];
  if (sealed.length < HEAD_BYTES || sealed[0] !== VERSION) throw altered(place);
  const parts = cut(sealed);
  const used = keys.find(({ id }) => parts.id.equals(id));
  if (!used) {
    throw new Failure(
      'unsealable',
      `The secret of ${place.name} was sealed under another MASTER_KEY; set that one again, or store the secret anew`,
    );
  }
  const decipher = createDecipheriv('aes-256-gcm', used.key, parts.nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(associated(used.id, place));
  decipher.setAuthTag(parts.tag);
  try {
    return Buffer.concat([decipher.update(parts.text), decipher.final()]).toString('utf8');
  } catch {
    throw altered(place);
  }
}

/** What secrets sealed under MASTER_KEY begin with; null without one. */
export function sealedHead(config: MasterKey): Buffer | null {
  return config.MASTER_KEY === undefined ? null : Buffer.concat([Buffer.from([VERSION]), keyOf(config).id]);
}

function cut(sealed: Buffer): { id: Buffer; nonce: Buffer; tag: Buffer; text: Buffer } {
  const nonceAt = 1 + KEY_ID_BYTES;
  const tagAt = nonceAt + NONCE_BYTES;
  return {
    id: sealed.subarray(1, nonceAt),
    nonce: sealed.subarray(nonceAt, tagAt),
    tag: sealed.subarray(tagAt, HEAD_BYTES),
    text: sealed.subarray(HEAD_BYTES),
  };
}

/** A key of this use alone, made from MASTER_KEY, and a short name of it that tells nothing of the key. */
function keyOf(config: MasterKey): { key: Buffer; id: Buffer } {
  if (config.MASTER_KEY === undefined) {
    throw new Failure('unsealable', 'MASTER_KEY is not set here, so no secret can be sealed or opened');
  }
  return derived(config.MASTER_KEY);
}

function previousOf({ MASTER_KEY_PREVIOUS }: MasterKey): { key: Buffer; id: Buffer }[] {
  return MASTER_KEY_PREVIOUS === undefined ? [] : [derived(MASTER_KEY_PREVIOUS)];
}

function derived(master: string): { key: Buffer; id: Buffer } {
  const key = Buffer.from(hkdfSync('sha256', parseKey(master), '', 'ostinato stored secrets', 32));
  const id = createHash('sha256').update('key id').update(key).digest().subarray(0, KEY_ID_BYTES);
  return { key, id };
}

function associated(id: Buffer, { owner, name }: SealedFor): Buffer {
  return Buffer.concat([Buffer.from([VERSION]), id, Buffer.from(JSON.stringify([owner, name]))]);
}

function altered(place: SealedFor): Failure {
  return new Failure('unsealable', `The stored secret of ${place.name} was altered, or belongs to another credential`);
}
