/** Credentials for calls to other people's services, and indexes for what an auditor asks. */
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<never>): Promise<void> {
  await sql`
    CREATE TABLE outbound_credentials (
      credential_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
      owner text NOT NULL,
      name text NOT NULL,
      kind text NOT NULL,
      config jsonb NOT NULL DEFAULT '{}',
      sealed bytea NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now(),
      updated_at timestamptz NOT NULL DEFAULT now(),
      UNIQUE (owner, name)
    );
    CREATE INDEX outbound_credentials_list ON outbound_credentials (created_at DESC, credential_id DESC);

    CREATE INDEX audit_log_principal ON audit_log (principal_id, audit_id DESC);
    CREATE INDEX audit_log_resource ON audit_log (resource, audit_id DESC) WHERE resource IS NOT NULL;
  `.execute(db);
}
