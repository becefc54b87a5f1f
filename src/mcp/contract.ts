/** What the MCP door needs from the house, and what it gives back. */
import type {
  Resource,
  ResourceContents,
  ResourceTemplateType,
  Server,
  ServerCapabilities,
  ServerContext,
  ServerNotifier,
  ServerOptions,
  Tool,
} from '@modelcontextprotocol/server';
import type { AnyOperation, Call } from '../operations/contract.ts';
import type { Failure } from '../schema/failures.ts';
import type { Principal } from '../schema/principal.ts';

/** Validates, checks the permission, runs and audits; throws Failure. `invoke` of operations/ with its deps bound. */
export type Invoke = (
  operation: AnyOperation,
  call: Pick<Call, 'principal' | 'requestId' | 'address' | 'idempotencyKey' | 'signal' | 'report'>,
  input: unknown,
) => Promise<unknown>;

/**
 * A workflow seen as a task. `failed` is a workflow that ended in a failure: clients see a completed task whose
 * result is an error. `broken` is a fault of the machinery itself: clients see a failed task.
 */
export interface TaskState {
  /** The workflow's id. */
  id: string;
  /** Principal id. The door hides the task from everybody else. */
  owner: string;
  state: 'working' | 'input_required' | 'succeeded' | 'failed' | 'cancelled' | 'broken';
  message: string | null;
  /** ISO 8601. */
  createdAt: string;
  updatedAt: string;
  /** How long the task can be asked about, from its creation; null when there is no end. */
  ttlMs: number | null;
  /** 1,000 unless told. */
  pollIntervalMs?: number;
  /** With `input_required`: what the client must answer through `tasks/update`, by key. */
  inputRequests?: Record<string, unknown>;
}

export type TaskOutcome = { output: unknown } | { failure: Failure } | { broken: { code: number; message: string } };

/** Workflows as tasks, from the read model and the engine's own status: it must answer without a live worker. */
export interface TasksService {
  /**
   * Null when there is no such task or the principal may not see it. `input_required` only with `mayAsk`: the client can
   * put questions to its user.
   */
  get(principal: Principal, id: string, mayAsk?: boolean): Promise<TaskState | null>;
  /** Asks for cancellation; called for visible tasks only, and again for ended ones, where it does nothing. */
  cancel(principal: Principal, id: string): Promise<void>;
  /** Newest first, own tasks only. */
  list(principal: Principal, cursor: string | null): Promise<{ tasks: TaskState[]; nextCursor: string | null }>;
  /** Called once the state is succeeded, failed or broken. */
  result(principal: Principal, id: string): Promise<TaskOutcome>;
  /** Answers to `inputRequests`. Absent where no workflow asks for input. */
  update?(
    principal: Principal,
    id: string,
    inputResponses: Record<string, unknown>,
    /** Runs an operation by its name as this caller: what an answer leads to is checked and audited like a call. */
    run: (operation: string, input: object) => Promise<unknown>,
  ): Promise<void>;
}

export interface ResourcesService {
  list(principal: Principal): Promise<Resource[]>;
  templates?(principal: Principal): Promise<ResourceTemplateType[]>;
  /** Null when there is no such resource or the principal may not see it. */
  read(principal: Principal, uri: string): Promise<ResourceContents | null>;
}

/** A resource that says something else now, or another list of them. */
export type Change = { uri: string } | { list: true };

/** Changes of resources, from every process. Returns how to stop listening. */
export interface ChangeBus {
  subscribe(listener: (change: Change) => void): () => void;
}

/** The part of a pino logger that the door uses. */
export interface DoorLog {
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export type Era = 'legacy' | 'modern';

/** What a low-level handler may answer a `tools/call` with: a result, a task, or a request for input. */
export type ToolAnswer = Record<string, unknown>;

/** A place for more than operations: prompts, completion, tools that speak the protocol itself. */
export interface DoorExtension {
  capabilities?: ServerCapabilities;
  options?: Pick<ServerOptions, 'requestState' | 'inputRequired'>;
  /** Listed after the operations' tools, as they are. */
  tools?: Tool[];
  /** Called for the names in `tools` only. */
  callTool?(name: string, args: Record<string, unknown>, context: ServerContext, server: Server): Promise<ToolAnswer>;
  /** Adds request handlers to each server before it is connected. */
  attach?(server: Server, era: Era): void;
}

export interface DoorOptions {
  operations: readonly AnyOperation[];
  invoke: Invoke;
  tasks: TasksService;
  resources: ResourcesService;
  changes?: ChangeBus;
  log: DoorLog;
  version: string;
  /** Host names that Host and Origin may name; `allowedHosts(config)`. */
  hosts: string[];
  /** Seconds that a message may take to arrive, by BODY_TIMEOUT. */
  bodySeconds: number;
  /**
   * Sessions in memory for 2025 clients, which only what asks the client back (sampling, elicitation) needs. Absent:
   * every request stands alone, so that a restart or a second replica is invisible.
   */
  sessions?: { idleMs: number; most: number };
  extend?: DoorExtension;
}

export interface RequestExtras {
  requestId: string;
  /** For the audit log. */
  address: string | null;
}

export interface McpDoor {
  /** Serves one HTTP request to the MCP address, whoever calls having been authenticated as `principal`. */
  handle(request: Request, principal: Principal, extras: RequestExtras): Promise<Response>;
  /** Tells open subscriptions of this process. */
  notify: ServerNotifier;
  /** Ends open streams and sessions. */
  close(): Promise<void>;
}
