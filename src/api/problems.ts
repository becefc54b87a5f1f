/** Failures on the wire: `application/problem+json` (RFC 9457), the same shape for every refusal. */
import { FAILURES, type Failure, type FailureCode } from '../schema/failures.ts';
import type { ApiContext } from './context.ts';

/** `status` and extra headers go along where the code alone does not say them (405 with Allow). */
export function problem(c: ApiContext, failure: Failure, headers: Record<string, string> = {}): Response {
  const { code, faults, retryAfterSeconds } = failure;
  c.set('uncounted', code);
  const response = new Response(
    JSON.stringify(problemBody(code, failure.message, faults, c.get('requestId') ?? null)),
    {
      status: failure.status,
      headers: { 'content-type': 'application/problem+json', ...headers },
    },
  );
  if (retryAfterSeconds !== undefined) response.headers.set('retry-after', String(Math.ceil(retryAfterSeconds)));
  if (code === 'unauthenticated') response.headers.set('www-authenticate', 'Bearer realm="ostinato"');
  return response;
}

export function problemBody(code: FailureCode, detail: string, errors: Failure['faults'], requestId: string | null) {
  const { status, title } = FAILURES[code];
  return { type: `urn:ostinato:problem:${code}`, title, status, code, detail, errors, request_id: requestId };
}
