/** An operation: the one declaration of a thing that a caller can do, from which every door is made. */
import type { z } from 'zod';
import type { Deps } from '../deps.ts';
import type { Permission } from '../schema/access.ts';
import type { FailureCode } from '../schema/failures.ts';
import type { RateClass } from '../schema/limits.ts';
import type { Principal } from '../schema/principal.ts';

/** What an operation knows of its call. Never which door it came through. */
export interface Call {
  deps: Deps;
  principal: Principal;
  requestId: string;
  /** Where from: an address for the audit log, or null. */
  address: string | null;
  idempotencyKey: string | null;
  signal: AbortSignal;
  /** Long operations report here; a door forwards it where it can. `progress` grows and ends at `total`. */
  report(progress: number, total: number, message: string): void;
  /** The body's bytes, for the one kind of operation whose HTTP body is a stream; absent elsewhere. */
  upload?: Upload;
}

/**
 * A file on its way in. Fields of the form may stand before or after the file, so an operation stores the bytes
 * first (under a temporary key), then reads `fields`, and only then decides.
 */
export interface Upload {
  /** Last part of the name that the client gave; 1 to 255 characters, never a path. */
  filename: string;
  /**
   * Once, as it arrives; nothing is buffered. Throws Failure: `upload_broken` when the connection ends early,
   * `payload_too_large` above MAX_UPLOAD_BYTES, `invalid_input` when the form is malformed.
   */
  body: AsyncIterable<Uint8Array>;
  /**
   * Every text field of the form, unvalidated. Settles when the form has ended, so read `body` to its end first.
   * Rejects like `body`; a second file is `invalid_input`.
   */
  fields(): Promise<Record<string, string>>;
}

/** Bytes on their way out. */
export interface Download {
  filename: string;
  media_type: string;
  bytes: number;
  /** Hex; null where nobody has counted it. */
  sha256: string | null;
  body: AsyncIterable<Uint8Array>;
}

export interface HttpExposure {
  method: 'get' | 'post' | 'put' | 'delete';
  /** OpenAPI form: `/api/v1/files/{file_id}`. Parts in braces are taken from `input` by name. */
  path: string;
  /** The part that ends the path and may hold slashes. */
  rest?: string;
  /** 200 unless told. A result may carry its own through `statusOf`. */
  status?: number;
  /** `multipart`: the body is a form whose field `file` streams to `call.upload`. */
  body?: 'json' | 'multipart';
  /** `download`: the answer is no JSON but the bytes of the `Download` that `run` gives; only HTTP can hand it on. */
  answer?: 'json' | 'download';
  /**
   * What OpenAPI says of the body where `input` takes more, so that `run` itself can name every fault. The whole form of
   * a `multipart` operation, for OpenAPI and for `parseInput(form, await upload.fields())`.
   * Its `input` is checked against the fields that stood before the file, so there each is optional.
   */
  form?: z.ZodObject;
  tag: string;
}

export interface McpExposure {
  tool: string;
  title: string;
  /** For a model: when to use it and what comes back. At most 400 characters. */
  description: string;
  readOnly: boolean;
  destructive: boolean;
  idempotent: boolean;
  openWorld: boolean;
  /** Listed by `tools/list` without being asked for; others are reached by `call_tool`. */
  listed: boolean;
  /**
   * For a tool that starts a workflow: the field of the output that holds its id. Clients that speak tasks get
   * a task under that id; others get the output at once.
   */
  taskFrom?: string;
}

/** What a listed tool that only looks says of itself. */
export const READ_ONLY = {
  readOnly: true,
  destructive: false,
  idempotent: true,
  openWorld: false,
  listed: true,
} as const;

// biome-ignore lint/suspicious/noExplicitAny: the registry holds operations of every input and output type
export type AnyOperation = Operation<any, any>;

export interface Operation<I extends z.ZodObject = z.ZodObject, O extends z.ZodType = z.ZodType> {
  /** `room.verb`, unique: `files.get`. */
  name: string;
  summary: string;
  /** Which room it belongs to, for `/mcp?rooms=…` and tags. */
  room: 'ingestion' | 'query' | 'workflows' | 'agents' | 'tasks' | 'pipelines' | 'access' | 'system';
  /** Of several any one is enough; `run` then tells the callers apart. */
  permission: Permission | readonly Permission[];
  /** Which limit a call counts against, where neither permission nor method tell (see `rateClassOf`). */
  rate?: RateClass;
  input: I;
  output: O;
  http?: HttpExposure;
  mcp?: McpExposure;
  /** Codes that `run` may answer with beyond invalid_input, unauthenticated, forbidden and internal. */
  failures: readonly FailureCode[];
  /** Whether a call is written to the audit log (every change is). */
  audited: boolean;
  /** HTTP status of this result where one operation has two (200 for a duplicate, 202 for a start). */
  statusOf?(output: z.output<O>): number;
  run(call: Call, input: z.output<I>): Promise<z.input<O>>;
}

/** Keeps the types of `input` and `output` while declaring. */
export function defineOperation<I extends z.ZodObject, O extends z.ZodType>(
  operation: Operation<I, O>,
): Operation<I, O> {
  return operation;
}
