/** Row types of every table, for kysely. */
import type { ColumnType, Generated, GeneratedAlways } from 'kysely';
import type { FailureCode } from './failures.ts';
import type { JsonObject } from './json.ts';
import type { ContentType, EventName, FileStatus, Phase, Role, Source, WorkflowType } from './names.ts';
import type { OutboundConfig, OutboundKind } from './outbound.ts';
import type { Grant } from './principal.ts';
import type { EntryError, ResumePoint } from './records.ts';
import type { ControlTables } from './tables-control.ts';

/** jsonb: read as a value, written as JSON text, so that an array never turns into a Postgres array. */
export type Jsonb<T> = ColumnType<T, string, string>;
export type JsonbWithDefault<T> = ColumnType<T, string | undefined, string>;
type Created = Generated<Date>;

export interface FailureRecord {
  code: string;
  detail: string;
}

/** How far an attempt has come; written in the transaction of the rows it speaks of. */
export interface Checkpoint {
  parse: ResumePoint | null;
  parsed: boolean;
  /** Code of the first unreadable record: what a file without any good one fails with. */
  cause: FailureCode | null;
  /** Record id up to which vectors are written. */
  indexed_after: string | null;
}

export type RunStatus = 'pending' | 'running' | 'completed' | 'failed' | 'cancelled' | 'terminated' | 'timed_out';

export interface Tables extends ControlTables {
  installation: {
    only_row: Generated<boolean>;
    installation_id: Generated<string>;
    engine_id: string | null;
    /** Position of the newest event that retention removed. */
    events_pruned_xid: Generated<string>;
    events_pruned_seq: Generated<string>;
    created_at: Created;
  };
  api_keys: {
    key_id: Generated<string>;
    principal_id: string;
    name: string;
    role: Role;
    grants: JsonbWithDefault<Grant[]>;
    prefix: string;
    hash: Buffer;
    created_by: string | null;
    created_at: Created;
    expires_at: Date | null;
    revoked_at: Date | null;
    last_used_at: Date | null;
  };
  sessions: { hash: Buffer; key_id: string; created_at: Created; expires_at: Date };
  audit_log: {
    audit_id: GeneratedAlways<string>;
    at: Created;
    principal_id: string | null;
    role: Role | null;
    key_id: string | null;
    operation: string;
    resource: string | null;
    outcome: string;
    request_id: string | null;
    address: string | null;
  };
  idempotency_keys: {
    principal_id: string;
    operation: string;
    key: string;
    body_hash: string;
    resource_id: string;
    created_at: Created;
  };
  workflow_runs: {
    workflow_id: string;
    type: WorkflowType;
    room: string;
    owner: string;
    source: Source | null;
    resource: string | null;
    input: Jsonb<JsonObject>;
    status: Generated<RunStatus>;
    error: JsonbWithDefault<FailureRecord | null>;
    created_at: Created;
    started_at: Date | null;
    closed_at: Date | null;
  };
  event_log: {
    seq: GeneratedAlways<string>;
    xid: Generated<string>;
    event_id: string;
    name: EventName;
    owner: string;
    resource: string | null;
    workflow_id: string | null;
    data: Jsonb<JsonObject>;
    /** Whether everybody who may read events sees it, and not its owner alone. */
    shared: Generated<boolean>;
    created_at: Created;
  };
  file_imports: {
    file_id: string;
    owner: string;
    workflow_id: string;
    attempt: Generated<number>;
    filename: string;
    source_type: Source;
    size_bytes: string | number;
    sha256: string;
    object_key: string | null;
    metadata: JsonbWithDefault<JsonObject>;
    status: Generated<FileStatus>;
    phase: Generated<Phase>;
    progress: Generated<number>;
    total_records: Generated<string>;
    records_by_type: JsonbWithDefault<Record<string, number>>;
    vector_count: Generated<string>;
    error_count: Generated<string>;
    errors: JsonbWithDefault<EntryError[]>;
    error: JsonbWithDefault<FailureRecord | null>;
    checkpoint: JsonbWithDefault<Checkpoint | null>;
    created_at: Created;
    started_at: Date | null;
    completed_at: Date | null;
    updated_at: Created;
    deleted_at: Date | null;
  };
  parsed_content: {
    record_id: string;
    owner: string;
    source_type: Source;
    account: string;
    content_type: ContentType;
    external_id: string;
    parent_id: string | null;
    title: string | null;
    text: string;
    author: string | null;
    participants: Generated<string[]>;
    occurred_at: Date | null;
    url: string | null;
    metadata: JsonbWithDefault<JsonObject>;
    content_hash: string;
    vector_hash: string | null;
    created_at: Created;
    updated_at: Created;
    tsv: GeneratedAlways<string>;
  };
  file_records: { file_id: string; record_id: string; attempt: number };
  content_versions: { owner: string; source_type: Source; version: Generated<string> };
  query_cache: { cache_key: string; versions: string; response: Jsonb<JsonObject>; created_at: Created };
  query_log: {
    query_id: string;
    owner: string;
    query_text: string;
    normalized: string;
    sources: string[];
    mode: string;
    result_count: number;
    response_time_ms: number;
    cache_hit: boolean;
    at: Created;
  };
  outbound_credentials: {
    credential_id: Generated<string>;
    owner: string;
    name: string;
    kind: OutboundKind;
    config: JsonbWithDefault<OutboundConfig>;
    sealed: Buffer;
    created_at: Created;
    updated_at: Created;
  };
  live_processes: { process_id: string; until: Date; held: number; nameless: Generated<number> };
  live_holdings: { process_id: string; caller: string; held: number };
  /** `expire`: milliseconds since the epoch. */
  rate_limits: { key: string; points: Generated<number>; expire: string | null };
  /** `day`: a date in UTC, written as text. */
  quotas: { principal_id: string; kind: string; day: ColumnType<Date, string, string>; used: string | number };
}
