/** Mounts every operation as a route. */
import { Readable } from 'node:stream';
import type { Hono } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { Deps } from '../deps.ts';
import type { AnyOperation, Download, HttpExposure } from '../operations/contract.ts';
import { invoke, type Received } from '../operations/invoke.ts';
import { Failure } from '../schema/failures.ts';
import type { Json } from '../schema/json.ts';
import { type ApiContext, type ApiEnv, peerAddress } from './context.ts';
import { readJsonObject } from './json-body.ts';
import { type ReceivedForm, receiveForm } from './multipart.ts';
import { problem } from './problems.ts';
import { readQuery } from './query-input.ts';

export function mountOperations(app: Hono<ApiEnv>, deps: Deps, operations: readonly AnyOperation[]): void {
  for (const operation of operations) {
    const { http } = operation;
    if (!http) continue;
    app.on(http.method.toUpperCase(), honoPath(http), (c) => answer(c, deps, operation, http));
  }
}

/** `/files/{file_id}` as hono writes it. A rest takes slashes that are plain as well as those that are encoded. */
export function honoPath({ path, rest }: Pick<HttpExposure, 'path' | 'rest'>): string {
  return path.replace(/\{([^}]+)\}/g, (_, name: string) => (name === rest ? `:${name}{.+}` : `:${name}`));
}

async function answer(c: ApiContext, deps: Deps, operation: AnyOperation, http: HttpExposure): Promise<Response> {
  c.set('operation', operation.name);
  const { BODY_TIMEOUT, MAX_UPLOAD_BYTES } = deps.config;
  let form: ReceivedForm | undefined;
  try {
    const receive = async (): Promise<Received> => {
      const idempotencyKey = readIdempotencyKey(c);
      if (http.body === 'multipart') {
        form = await receiveForm(c, MAX_UPLOAD_BYTES);
        return { idempotencyKey, input: form.fields, upload: form.upload };
      }
      const hasBody = http.method === 'post' || http.method === 'put';
      return { idempotencyKey, input: hasBody ? await readJsonObject(c, BODY_TIMEOUT) : readQuery(c, operation.input) };
    };
    const output = await invoke(
      deps,
      operation,
      {
        principal: c.get('principal'),
        requestId: c.get('requestId'),
        address: peerAddress(c),
        idempotencyKey: null,
        signal: c.req.raw.signal,
        report: () => {},
        onRate: (state) => c.set('rate', state),
        receive,
      },
      c.req.param(),
    );
    if (http.answer === 'download') return download(output as Download);
    noteWorkflow(c, output);
    const status = operation.statusOf?.(output) ?? http.status ?? 200;
    if (status === 204) return c.body(null, 204);
    return c.json(output as Json, status as ContentfulStatusCode);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const refusal = problem(c, error);
    c.set('uncounted', undefined);
    return refusal;
  } finally {
    form?.discard();
  }
}

/** To be saved, never shown: a report of somebody else's data must not run as a page of ours. */
function download({ filename, media_type, bytes, sha256, body }: Download): Response {
  const plain = filename.replace(/[^\w.-]+/g, '_');
  return new Response(Readable.toWeb(Readable.from(body)) as ReadableStream, {
    headers: {
      'content-type': media_type,
      'content-length': String(bytes),
      'content-disposition': `attachment; filename="${plain}"; filename*=UTF-8''${encodeURIComponent(filename)}`,
      ...(sha256 === null ? {} : { etag: `"${sha256}"` }),
    },
  });
}

function readIdempotencyKey(c: ApiContext): string | null {
  const key = c.req.header('idempotency-key');
  if (key === undefined) return null;
  if (/^[\x21-\x7e]{1,255}$/.test(key)) return key;
  throw new Failure('invalid_input', 'Idempotency-Key must be 1 to 255 visible characters');
}

function noteWorkflow(c: ApiContext, output: unknown): void {
  if (typeof output !== 'object' || output === null) return;
  const id = (output as { workflow_id?: unknown }).workflow_id;
  if (typeof id === 'string') c.set('workflowId', id);
}
