/** Payloads on their way to Temporal: deflated when that pays, then sealed with AES-256-GCM when there is a key. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { PayloadCodec } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import protocol from '@temporalio/proto';
import { parseKey } from '../schema/keys.ts';

type Payload = temporal.api.common.v1.IPayload;
const proto = protocol.temporal.api.common.v1.Payload;

const ENCODING = 'encoding';
const DEFLATED = Buffer.from('binary/deflate');
const SEALED = Buffer.from('binary/aes-256-gcm');
/** Smaller payloads grow when deflated. */
const MIN_DEFLATE = 512;
/** No payload of ours is larger (Temporal refuses 2 MB); a forged one must not unpack without end. */
const MAX_INFLATED = 64 * 1024 * 1024;
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** `key`: 32 bytes as hex or base64, or null to only compress. */
export function payloadCodec(key: string | null): PayloadCodec {
  const secret = key === null ? null : parseKey(key);
  return {
    encode: async (payloads: Payload[]) => payloads.map((payload) => seal(deflate(payload), secret)),
    decode: async (payloads: Payload[]) => payloads.map((payload) => inflate(open(payload, secret))),
  };
}

function deflate(payload: Payload): Payload {
  if ((payload.data?.length ?? 0) < MIN_DEFLATE) return payload;
  return { metadata: { [ENCODING]: DEFLATED }, data: deflateRawSync(proto.encode(payload).finish()) };
}

function inflate(payload: Payload): Payload {
  if (!hasEncoding(payload, DEFLATED)) return payload;
  return proto.decode(inflateRawSync(payload.data ?? Buffer.alloc(0), { maxOutputLength: MAX_INFLATED }));
}

function seal(payload: Payload, key: Buffer | null): Payload {
  if (key === null) return payload;
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, iv);
  const sealed = Buffer.concat([cipher.update(proto.encode(payload).finish()), cipher.final()]);
  return { metadata: { [ENCODING]: SEALED }, data: Buffer.concat([iv, cipher.getAuthTag(), sealed]) };
}

function open(payload: Payload, key: Buffer | null): Payload {
  if (!hasEncoding(payload, SEALED)) return payload;
  if (key === null) throw new Error('This payload is encrypted and PAYLOAD_KEY is not set');
  const data = Buffer.from(payload.data ?? []);
  const decipher = createDecipheriv('aes-256-gcm', key, data.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAuthTag(data.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
  return proto.decode(Buffer.concat([decipher.update(data.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]));
}

function hasEncoding(payload: Payload, encoding: Buffer): boolean {
  const value = payload.metadata?.[ENCODING];
  return value !== undefined && value !== null && encoding.equals(Buffer.from(value));
}
