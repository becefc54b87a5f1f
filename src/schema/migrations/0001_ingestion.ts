/** The first tables: access, runs, events, files, records, queries. */
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<never>): Promise<void> {
  await sql`
    CREATE TABLE installation (
      only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
      installation_id uuid NOT NULL DEFAULT gen_random_uuid(),
      engine_id text,
      created_at timestamptz NOT NULL DEFAULT now()
    );
    INSERT INTO installation DEFAULT VALUES;

    CREATE TABLE api_keys (
      key_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
      principal_id text NOT NULL,
      name text NOT NULL,
      role text NOT NULL,
      grants jsonb NOT NULL DEFAULT '[]',
      prefix text NOT NULL,
      hash bytea NOT NULL UNIQUE,
      created_by text,
      created_at timestamptz NOT NULL DEFAULT now(),
      expires_at timestamptz,
      revoked_at timestamptz,
      last_used_at timestamptz
    );

    CREATE TABLE sessions (
      hash bytea PRIMARY KEY,
      key_id uuid NOT NULL REFERENCES api_keys ON DELETE CASCADE,
      created_at timestamptz NOT NULL DEFAULT now(),
      expires_at timestamptz NOT NULL
    );

    CREATE TABLE audit_log (
      audit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      at timestamptz NOT NULL DEFAULT now(),
      principal_id text,
      role text,
      key_id uuid,
      operation text NOT NULL,
      resource text,
      outcome text NOT NULL,
      request_id text,
      address text
    );
    CREATE INDEX audit_log_at ON audit_log (at DESC);

    CREATE TABLE idempotency_keys (
      principal_id text NOT NULL,
      operation text NOT NULL,
      key text NOT NULL,
      body_hash text NOT NULL,
      resource_id text NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (principal_id, operation, key)
    );
    CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);

    CREATE TABLE workflow_runs (
      workflow_id text PRIMARY KEY,
      type text NOT NULL,
      room text NOT NULL,
      owner text NOT NULL,
      source text,
      resource text,
      input jsonb NOT NULL,
      status text NOT NULL DEFAULT 'pending',
      error jsonb,
      created_at timestamptz NOT NULL DEFAULT now(),
      started_at timestamptz,
      closed_at timestamptz
    );
    CREATE INDEX workflow_runs_owner ON workflow_runs (owner, created_at DESC, workflow_id DESC);
    CREATE INDEX workflow_runs_created ON workflow_runs (created_at DESC, workflow_id DESC);
    CREATE INDEX workflow_runs_open ON workflow_runs (created_at) WHERE closed_at IS NULL;

    CREATE TABLE event_log (
      seq bigint GENERATED ALWAYS AS IDENTITY,
      xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
      event_id uuid NOT NULL UNIQUE,
      name text NOT NULL,
      owner text NOT NULL,
      resource text,
      workflow_id text,
      data jsonb NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (xid, seq)
    );
    CREATE INDEX event_log_created ON event_log (created_at);

    CREATE TABLE file_imports (
      file_id uuid PRIMARY KEY,
      owner text NOT NULL,
      workflow_id text NOT NULL,
      attempt int NOT NULL DEFAULT 1,
      filename text NOT NULL,
      source_type text NOT NULL,
      size_bytes bigint NOT NULL,
      sha256 text NOT NULL,
      object_key text,
      metadata jsonb NOT NULL DEFAULT '{}',
      status text NOT NULL DEFAULT 'pending',
      phase text NOT NULL DEFAULT 'upload',
      progress int NOT NULL DEFAULT 0,
      total_records bigint NOT NULL DEFAULT 0,
      records_by_type jsonb NOT NULL DEFAULT '{}',
      vector_count bigint NOT NULL DEFAULT 0,
      error_count bigint NOT NULL DEFAULT 0,
      errors jsonb NOT NULL DEFAULT '[]',
      error jsonb,
      checkpoint jsonb,
      created_at timestamptz NOT NULL DEFAULT now(),
      started_at timestamptz,
      completed_at timestamptz,
      updated_at timestamptz NOT NULL DEFAULT now(),
      deleted_at timestamptz
    );
    CREATE UNIQUE INDEX file_imports_same_bytes ON file_imports (owner, source_type, sha256)
      WHERE status <> 'failed' AND deleted_at IS NULL;
    CREATE INDEX file_imports_list ON file_imports (created_at DESC, file_id DESC) WHERE deleted_at IS NULL;
    CREATE INDEX file_imports_owner ON file_imports (owner, created_at DESC, file_id DESC) WHERE deleted_at IS NULL;

    CREATE TABLE parsed_content (
      record_id uuid PRIMARY KEY,
      owner text NOT NULL,
      source_type text NOT NULL,
      account text NOT NULL,
      content_type text NOT NULL,
      external_id text NOT NULL,
      parent_id text,
      title text,
      text text NOT NULL,
      author text,
      participants text[] NOT NULL DEFAULT '{}',
      occurred_at timestamptz,
      url text,
      metadata jsonb NOT NULL DEFAULT '{}',
      content_hash uuid NOT NULL,
      vector_hash uuid,
      created_at timestamptz NOT NULL DEFAULT now(),
      updated_at timestamptz NOT NULL DEFAULT now(),
      tsv tsvector GENERATED ALWAYS AS (
        setweight(to_tsvector('english', left(coalesce(title, ''), 2000)), 'A') ||
        setweight(to_tsvector('english', left(text, 200000)), 'B') ||
        setweight(to_tsvector('simple', left(coalesce(author, ''), 500)), 'C')
      ) STORED
    ) WITH (fillfactor = 90);
    CREATE INDEX parsed_content_tsv ON parsed_content USING gin (tsv);
    CREATE INDEX parsed_content_occurred ON parsed_content (occurred_at);

    CREATE TABLE file_records (
      file_id uuid NOT NULL,
      record_id uuid NOT NULL,
      attempt int NOT NULL,
      PRIMARY KEY (file_id, record_id)
    );
    CREATE INDEX file_records_record ON file_records (record_id);

    CREATE TABLE content_versions (
      owner text NOT NULL,
      source_type text NOT NULL,
      version bigint NOT NULL DEFAULT 1,
      PRIMARY KEY (owner, source_type)
    );

    -- Unlogged: a lost entry is only computed again, and a store costs no flush.
    CREATE UNLOGGED TABLE query_cache (
      cache_key text PRIMARY KEY,
      versions text NOT NULL,
      response jsonb NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE INDEX query_cache_created ON query_cache (created_at);

    CREATE TABLE query_log (
      query_id uuid PRIMARY KEY,
      owner text NOT NULL,
      query_text text NOT NULL,
      normalized text NOT NULL,
      sources text[] NOT NULL,
      mode text NOT NULL,
      result_count int NOT NULL,
      response_time_ms double precision NOT NULL,
      cache_hit boolean NOT NULL,
      at timestamptz NOT NULL DEFAULT now()
    );
    CREATE INDEX query_log_owner ON query_log (owner, at DESC);
    CREATE INDEX query_log_at ON query_log (at DESC);
  `.execute(db);
}
