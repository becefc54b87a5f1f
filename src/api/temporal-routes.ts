/** The Temporal Web UI behind our own sign-in, and the codec that lets it show clear text. */
import protocol from '@temporalio/proto';
import type { Hono } from 'hono';
import { payloadCodec } from '../clients/payload-codec.ts';
import { mayDo } from '../schema/access.ts';
import type { Config } from '../schema/config.ts';
import { Failure } from '../schema/failures.ts';
import type { ApiContext, ApiEnv } from './context.ts';
import { hostHeader } from './hosts.ts';
import { readBounded } from './json-body.ts';
import { problem } from './problems.ts';

const UI_PATH = '/temporal';
const SETTINGS_PATH = `${UI_PATH}/api/v1/settings`;
const CODEC_PATH = '/codec';
const MAX_CODEC_BYTES = 16 * 1024 * 1024;
/** Never sent on: they are ours, or belong to this hop. */
const DROPPED = [
  'authorization',
  'x-api-key',
  'cookie',
  'host',
  'connection',
  'keep-alive',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'content-length',
  'expect',
  'accept-encoding',
];
/** Of the answer: the body arrives here unpacked. */
const UNPACKED = ['content-encoding', 'content-length', 'transfer-encoding', 'connection', 'keep-alive'];
/** The Web UI runs inline scripts and is no page of ours; it still may load nothing from elsewhere. */
const POLICY =
  "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; worker-src 'self' blob:; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'self'";

export type TemporalSettings = Pick<
  Config,
  'TEMPORAL_UI_ADDRESS' | 'TEMPORAL_UI_PORT' | 'PAYLOAD_KEY' | 'BODY_TIMEOUT' | 'publicUrl'
>;

/** For callers with `system:read` (operators and admins) only. */
export function mountTemporal(app: Hono<ApiEnv>, config: TemporalSettings): void {
  const upstream = uiAddress(config);
  const codec = payloadCodec(config.PAYLOAD_KEY ?? null);
  app.all(UI_PATH, (c) => guarded(c, () => proxy(c, upstream, config)));
  app.all(`${UI_PATH}/*`, (c) => guarded(c, () => proxy(c, upstream, config)));
  app.post(`${CODEC_PATH}/:direction{encode|decode}`, (c) =>
    guarded(c, async () => {
      const payloads = parsePayloads(await readBounded(c, MAX_CODEC_BYTES, config.BODY_TIMEOUT));
      const direction = c.req.param('direction') === 'encode' ? 'encode' : 'decode';
      const done = await codec[direction](payloads).catch((cause: unknown) => {
        throw new Failure('invalid_input', 'These payloads cannot be read with the key in force', { cause });
      });
      return c.json({ payloads: done.map(toJson) });
    }),
  );
}

function uiAddress(config: TemporalSettings): string | null {
  if (config.TEMPORAL_UI_ADDRESS) return new URL(config.TEMPORAL_UI_ADDRESS).origin;
  return config.TEMPORAL_UI_PORT > 0 ? `http://127.0.0.1:${config.TEMPORAL_UI_PORT}` : null;
}

async function guarded(c: ApiContext, serve: () => Promise<Response>): Promise<Response> {
  const principal = c.get('principal');
  if (!mayDo(principal, 'system:read')) {
    return problem(c, new Failure('forbidden', `Role ${principal.role} lacks system:read`));
  }
  try {
    return await serve();
  } catch (error) {
    if (error instanceof Failure) return problem(c, error);
    throw error;
  }
}

async function proxy(c: ApiContext, upstream: string | null, settings: TemporalSettings): Promise<Response> {
  if (upstream === null) throw new Failure('not_found', 'There is no Temporal Web UI here: set TEMPORAL_UI_ADDRESS');
  const { pathname, search } = new URL(c.req.url);
  const headers = new Headers(c.req.raw.headers);
  for (const name of DROPPED) headers.delete(name);
  // The Web UI's own token against forged requests; our session stays here.
  const own = /(?:^|;\s*)(_csrf=[^;]*)/.exec(c.req.header('cookie') ?? '')?.[1];
  if (own) headers.set('cookie', own);
  const hasBody = c.req.method !== 'GET' && c.req.method !== 'HEAD';
  const answer = await fetch(`${upstream}${pathname}${search}`, {
    method: c.req.method,
    headers,
    body: hasBody ? new Uint8Array(await readBounded(c, MAX_CODEC_BYTES, settings.BODY_TIMEOUT)) : null,
    redirect: 'manual',
    signal: c.req.raw.signal,
  }).catch((cause: unknown) => {
    throw new Failure('unavailable', 'The Temporal Web UI does not answer', { cause });
  });
  const kept = new Headers(answer.headers);
  for (const name of UNPACKED) kept.delete(name);
  if (pathname === SETTINGS_PATH && answer.ok) return c.json(withOwnCodec(await answer.json(), c, settings.publicUrl));
  kept.set('content-security-policy', POLICY);
  const location = kept.get('location');
  if (location?.startsWith(upstream)) kept.set('location', location.slice(upstream.length));
  return new Response(answer.body, { status: answer.status, headers: kept });
}

/** The codec must have the origin of the page, or the browser keeps the session cookie to itself. */
function withOwnCodec(settings: unknown, c: ApiContext, publicUrl: string): object {
  const reached = hostHeader(c);
  const known = new URL(publicUrl);
  const origin = known.host === reached ? known.origin : `${new URL(c.req.url).protocol}//${reached}`;
  const { Codec, ...rest } = settings as { Codec?: object };
  return { ...rest, Codec: { ...Codec, Endpoint: `${origin}${CODEC_PATH}` } };
}

type Payload = protocol.temporal.api.common.v1.IPayload;

/** Payloads as the Web UI sends them: protobuf's JSON form, bytes in base64. */
function parsePayloads(body: Buffer): Payload[] {
  try {
    const { payloads } = JSON.parse(body.toString('utf8')) as { payloads?: unknown };
    if (!Array.isArray(payloads)) throw new TypeError('no payloads');
    return payloads.map((payload) => protocol.temporal.api.common.v1.Payload.fromObject(payload));
  } catch (cause) {
    throw new Failure('invalid_input', 'The body must be {"payloads": […]} as Temporal sends it', { cause });
  }
}

function toJson(payload: Payload) {
  const metadata = Object.entries(payload.metadata ?? {}).map(([key, value]) => [key, base64(value)]);
  return { metadata: Object.fromEntries(metadata), data: base64(payload.data) };
}

function base64(bytes: Uint8Array | null | undefined): string {
  return Buffer.from(bytes ?? []).toString('base64');
}
