/** Tables that pipelines write for their callers: whose each is and when it was last written stand in its comment. */
import pg from 'pg';

export const OUTPUT_SCHEMA = 'pipeline_output';

const OWNED_BY = 'ostinato pipeline output of ';
const WRITTEN = '; written ';

interface OutputTable {
  /** Null for a table that is none of ours. */
  owner: string | null;
  /** Null for one that was last written before this was noted. */
  written: Date | null;
}

/** Whoever reads the table may take hours; readers that come later would wait behind a drop that waits. */
const DROP_WAIT = '2s';

type Client = Pick<pg.PoolClient, 'query'>;

/** One at a time for a table, until the transaction ends: two that make, replace or drop it would meet half-way. */
export async function lockOutputTable(client: Client, table: string): Promise<void> {
  await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`${OUTPUT_SCHEMA}.${table}`]);
}

export async function findOutputTable(client: Client, table: string): Promise<OutputTable | null> {
  const found = await client.query<{ mark: string | null }>(
    `SELECT obj_description(c.oid, 'pg_class') AS mark FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = $2`,
    [OUTPUT_SCHEMA, table],
  );
  const [row] = found.rows;
  return row ? readMark(row.mark) : null;
}

/** In the transaction that writes the table. */
export async function markOutputTable(client: Client, table: string, owner: string): Promise<void> {
  const mark = pg.escapeLiteral(`${OWNED_BY}${owner}${WRITTEN}${new Date().toISOString()}`);
  await client.query(`COMMENT ON TABLE ${OUTPUT_SCHEMA}.${pg.escapeIdentifier(table)} IS ${mark}`);
}

function readMark(mark: string | null): OutputTable {
  if (!mark?.startsWith(OWNED_BY)) return { owner: null, written: null };
  const [, owner = '', at] =
    /^(.*?)(?:; written (\d{4}-\d\d-\d\dT[\d:.]+Z))?$/s.exec(mark.slice(OWNED_BY.length)) ?? [];
  return { owner, written: at === undefined ? null : new Date(at) };
}

/** Names of all tables in the schema, ours or not. */
export async function listOutputTables(client: Client): Promise<string[]> {
  const found = await client.query<{ relname: string }>(
    `SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') ORDER BY 1`,
    [OUTPUT_SCHEMA],
  );
  return found.rows.map(({ relname }) => relname);
}

/**
 * Drops a table of ours that was last written before `before`; resolves with whether it did. One that others build upon
 * (a view, a foreign key), or that is read or written just now, stays: throws what Postgres says.
 */
export async function dropOutputTable(pool: pg.Pool, table: string, before: Date): Promise<boolean> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query('BEGIN');
    await client.query(`SET LOCAL lock_timeout = '${DROP_WAIT}'`);
    await lockOutputTable(client, table);
    const found = await findOutputTable(client, table);
    const old = found?.owner != null && found.written !== null && found.written < before;
    if (old) await client.query(`DROP TABLE ${OUTPUT_SCHEMA}.${pg.escapeIdentifier(table)}`);
    await client.query('COMMIT');
    return old;
  } catch (error) {
    broken = error as Error;
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  } finally {
    client.release(broken);
  }
}
