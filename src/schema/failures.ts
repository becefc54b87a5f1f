/** Every failure a caller or an operator can meet, by code. Workflows may import values from here. */

export interface FailureKind {
  /** HTTP status a door answers with. */
  status: number;
  title: string;
  /** Whether doing the same again later can succeed. */
  retryable: boolean;
}

export const FAILURES = {
  invalid_input: { status: 400, title: 'The input is not valid', retryable: false },
  unauthenticated: { status: 401, title: 'No valid credentials', retryable: false },
  forbidden: { status: 403, title: 'Not allowed', retryable: false },
  not_found: { status: 404, title: 'Not found', retryable: false },
  method_not_allowed: { status: 405, title: 'Method not allowed', retryable: false },
  request_timeout: { status: 408, title: 'The request did not arrive in time', retryable: true },
  conflict: { status: 409, title: 'Conflicts with the current state', retryable: false },
  idempotency_mismatch: { status: 409, title: 'This Idempotency-Key was used with another body', retryable: false },
  payload_too_large: { status: 413, title: 'Too large', retryable: false },
  unsupported_type: { status: 415, title: 'This type of content is not accepted here', retryable: false },
  empty_file: { status: 422, title: 'The file is empty', retryable: false },
  wrong_type: { status: 422, title: 'The content is not of a type this source exports', retryable: false },
  encrypted_archive: { status: 422, title: 'The archive is encrypted', retryable: false },
  archive_bomb: { status: 422, title: 'The archive unpacks to too much', retryable: false },
  unsafe_path: { status: 422, title: 'The archive holds an unsafe path', retryable: false },
  truncated_file: { status: 422, title: 'The file ends too early', retryable: false },
  invalid_encoding: { status: 422, title: 'The text is not valid in its encoding', retryable: false },
  too_deep: { status: 422, title: 'Nested too deep', retryable: false },
  record_too_large: { status: 422, title: 'A record is over the size limit', retryable: false },
  malformed: { status: 422, title: 'The content cannot be parsed', retryable: false },
  no_records: { status: 422, title: 'No record could be read', retryable: false },
  upload_broken: { status: 400, title: 'The upload ended before it was complete', retryable: true },
  egress_denied: { status: 422, title: 'This address may not be called', retryable: false },
  fetch_failed: { status: 502, title: 'The address could not be read', retryable: true },
  too_many_requests: { status: 429, title: 'Too many requests', retryable: true },
  semantic_unavailable: { status: 409, title: 'Semantic search is off', retryable: false },
  agent_limit: { status: 429, title: 'No room for another agent', retryable: true },
  quota_exceeded: { status: 429, title: 'The quota is used up', retryable: true },
  no_agent: { status: 409, title: 'No agent can do this', retryable: true },
  agent_lost: { status: 502, title: 'The agent went away', retryable: true },
  agent_unreachable: { status: 502, title: 'The agent could not be reached', retryable: true },
  agent_failed: { status: 502, title: 'The agent reported a failure', retryable: true },
  execution_error: { status: 422, title: 'The work failed', retryable: false },
  invalid_pipeline: { status: 422, title: 'The pipeline cannot be run as it is', retryable: false },
  sql_denied: { status: 422, title: 'This SQL is not allowed here', retryable: false },
  sql_failed: { status: 422, title: 'The SQL failed', retryable: false },
  resource_limit: { status: 422, title: 'Over the limits of memory, time or space', retryable: false },
  validation_failed: { status: 422, title: 'The data did not pass validation', retryable: false },
  approval_rejected: { status: 409, title: 'The approval was refused', retryable: false },
  approval_expired: { status: 409, title: 'Nobody decided in time', retryable: false },
  delivery_failed: { status: 502, title: 'The notification could not be delivered', retryable: true },
  credential_refused: { status: 502, title: 'The other side refused our credential', retryable: false },
  unsealable: { status: 500, title: 'A stored secret cannot be opened', retryable: false },
  unknown_tool: { status: 404, title: 'No such tool', retryable: false },
  unavailable: { status: 503, title: 'A component is unavailable', retryable: true },
  timeout: { status: 504, title: 'Took too long', retryable: true },
  internal: { status: 500, title: 'Internal error', retryable: true },
} as const satisfies Record<string, FailureKind>;

export type FailureCode = keyof typeof FAILURES;

/** One fault of many, with the place it was found at: a field path, a file entry, a line. */
export interface Fault {
  path: string;
  message: string;
}

/**
 * The one error class of the house. Doors turn it into `application/problem+json`, activities into an
 * ApplicationFailure whose type is `code`. `detail` is written for the caller and never holds a stack or a secret; of
 * more than 4,000 characters the rest is left out.
 */
export class Failure extends Error {
  readonly code: FailureCode;
  readonly faults: Fault[];
  readonly retryAfterSeconds: number | undefined;

  constructor(
    code: FailureCode,
    detail: string,
    options: { faults?: Fault[]; cause?: unknown; retryAfterSeconds?: number } = {},
  ) {
    super(cut(detail), options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Failure';
    this.code = code;
    this.faults = options.faults ?? [];
    this.retryAfterSeconds = options.retryAfterSeconds;
  }

  get status(): number {
    return FAILURES[this.code].status;
  }

  get retryable(): boolean {
    return FAILURES[this.code].retryable;
  }
}

/** Failures go into rows, events, histories and mails: a list of names without end must not. */
const MAX_DETAIL = 4_000;

function cut(detail: string): string {
  if (detail.length <= MAX_DETAIL) return detail;
  // Half a character is no text that Postgres takes.
  return `${detail.slice(0, MAX_DETAIL - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}

export function isFailureCode(value: unknown): value is FailureCode {
  return typeof value === 'string' && Object.hasOwn(FAILURES, value);
}
