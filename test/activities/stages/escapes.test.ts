/** SQL that tries to leave its sandbox: every attempt is refused or harmless, and nothing outside is touched. */
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { StageRequest } from '../../../src/schema/stages/contract.ts';
import { type StageKit, stageKit } from './kit.ts';

let kit: StageKit;
let inputs: StageRequest['inputs'];
let outside: string;
let web: Server;
let visits = 0;

beforeAll(async () => {
  kit = await stageKit({ STAGE_MEMORY_MB: '128', STAGE_TEMP_MB: '64' });
  outside = join(kit.folder, 'outside');
  await mkdir(outside);
  await writeFile(join(outside, 'secret.txt'), 'the secret');
  await writeFile(join(outside, 'secret.csv'), 'a\nthe secret\n');
  web = createServer((_, response) => {
    visits += 1;
    response.end('a\n1\n');
  }).listen(0, '127.0.0.1');
  inputs = [{ name: 'orders', dataset: await kit.dataset([{ id: 1, name: 'a' }]) }];
});
afterAll(async () => {
  web.close();
  await kit.close();
});

const url = () => `http://127.0.0.1:${(web.address() as AddressInfo).port}/x.csv`;
/** Each with what it stands for: `{file}`, `{new}` (a file that must not appear), `{url}`, `{input}` (the input's own file). */
const ESCAPES: [string, string][] = [
  ['a statement that writes a file', "COPY (SELECT 1) TO '{new}'"],
  ['a statement that reads a file', "COPY orders FROM '{file}'"],
  ['attaching a database', "ATTACH '{new}' AS other"],
  ['attaching after a select', "SELECT 1; ATTACH '{new}' AS other"],
  ['installing', 'INSTALL httpfs'],
  ['loading', "LOAD '{file}'"],
  ['loading after a comment', "/* select */ LOAD '{file}'"],
  ['a second statement', "SELECT 1; COPY (SELECT 1) TO '{new}'"],
  ['a second statement after a comment', "SELECT 1; -- no more\nCOPY (SELECT 1) TO '{new}'"],
  ['a nested comment', "SELECT 1 /* /* */ ; COPY (SELECT 1) TO '{new}' */ */; DROP VIEW orders"],
  ['a dollar string that hides an end', "SELECT $x$;$x$; COPY (SELECT 1) TO '{new}'"],
  ['reading text', "SELECT * FROM read_text('{file}')"],
  ['reading a blob', "SELECT * FROM read_blob('{file}')"],
  ['reading a CSV', "SELECT * FROM read_csv('{csv}')"],
  ['reading JSON', "SELECT * FROM read_json_auto('{file}')"],
  ['reading Parquet', "SELECT * FROM parquet_scan('{input}')"],
  ['reading the metadata of Parquet', "SELECT * FROM parquet_metadata('{input}')"],
  ['reading in another case', "SELECT * FROM ReAd_TeXt('{file}')"],
  ['reading by a quoted name', `SELECT * FROM "read_text"('{file}')`],
  ['reading with a schema', "SELECT * FROM main.read_text('{file}')"],
  ['reading with the system catalogue', "SELECT * FROM system.main.read_text('{file}')"],
  ['reading in a subquery', "SELECT (SELECT content FROM read_text('{file}')) FROM orders"],
  ['reading in a CTE', "WITH x AS (SELECT * FROM read_text('{file}')) SELECT * FROM x"],
  ['reading in a materialized CTE', "WITH x AS MATERIALIZED (SELECT * FROM read_text('{file}')) SELECT * FROM x"],
  ['reading in a lateral join', "SELECT * FROM orders, LATERAL (SELECT * FROM read_text('{file}'))"],
  ['reading in a union', "SELECT name FROM orders UNION ALL SELECT content FROM read_text('{file}')"],
  ['reading in an ordering', "SELECT * FROM orders ORDER BY (SELECT content FROM read_text('{file}'))"],
  ['reading in a limit', "SELECT * FROM orders LIMIT (SELECT count(*) FROM read_text('{file}'))"],
  ['reading in a window', "SELECT sum(id) OVER (ORDER BY (SELECT content FROM read_text('{file}'))) FROM orders"],
  ['reading in a lambda', "SELECT list_transform([1], lambda x: (SELECT content FROM read_text('{file}')))"],
  ['reading in an EXISTS', "SELECT * FROM orders WHERE EXISTS (FROM read_text('{file}'))"],
  [
    'reading in a recursive CTE',
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r, read_text('{file}') WHERE n < 2) SELECT * FROM r",
  ],
  ['a file as a table', "SELECT * FROM '{csv}'"],
  ['a file as a quoted table', `SELECT * FROM "{csv}"`],
  ['its own file as a table', "SELECT * FROM '{input}'"],
  ['a web address as a table', "SELECT * FROM '{url}'"],
  ['reading the web', "SELECT * FROM read_csv('{url}')"],
  ['listing files', "SELECT * FROM glob('/**')"],
  ['listing files by FROM first', "FROM glob('{folder}/*')"],
  ['sniffing', "SELECT * FROM sniff_csv('{csv}')"],
  ['SQL in SQL', "SELECT * FROM query('SELECT * FROM read_text(''{file}'')')"],
  ['a table by name', "SELECT * FROM query_table('{csv}')"],
  ['SQL from JSON', "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))"],
  ['serializing SQL', "SELECT json_serialize_sql('SELECT 1')"],
  ['settings', "SELECT current_setting('temp_directory')"],
  ['settings as a table', 'SELECT * FROM duckdb_settings()'],
  ['settings as a view', 'SELECT * FROM duckdb_settings'],
  ['the catalogue', 'SELECT * FROM information_schema.tables'],
  ['the catalogue of Postgres', 'SELECT * FROM pg_catalog.pg_tables'],
  ['the catalogue without its schema', 'SELECT * FROM pg_tables'],
  ['the catalogue of SQLite', 'SELECT * FROM sqlite_master'],
  [
    'a CTE that takes the name of the catalogue',
    'WITH sqlite_master AS (SELECT 1) SELECT * FROM (SELECT * FROM sqlite_master)',
  ],
  ['secrets', 'SELECT * FROM duckdb_secrets()'],
  ['temporary files', 'SELECT * FROM duckdb_temporary_files()'],
  ['environment', "SELECT getenv('HOME')"],
  ['variables', "SELECT getvariable('x')"],
  ['setting a variable', 'SET VARIABLE x = 1'],
  ['setting', "SET temp_directory = '{folder}'"],
  ['resetting', 'RESET lock_configuration'],
  ['a pragma', "PRAGMA temp_directory = '{folder}'"],
  ['a pragma as a table', "SELECT * FROM pragma_table_info('orders')"],
  ['a pragma called', 'CALL pragma_version()'],
  ['checkpointing', 'FORCE CHECKPOINT'],
  ['exporting', "EXPORT DATABASE '{folder}/export'"],
  ['importing', "IMPORT DATABASE '{folder}'"],
  ['a table', 'CREATE TABLE x AS SELECT 1'],
  ['a view over a file', "CREATE VIEW x AS SELECT * FROM '{csv}'"],
  ['a macro', "CREATE MACRO f() AS (SELECT content FROM read_text('{file}'))"],
  ['a secret', "CREATE SECRET (TYPE http, bearer_token 'x')"],
  ['inserting', 'INSERT INTO orders VALUES (2)'],
  ['deleting', 'DELETE FROM orders'],
  ['dropping', 'DROP VIEW orders'],
  ['preparing', "PREPARE p AS SELECT * FROM '{csv}'"],
  ['explaining', "EXPLAIN ANALYZE SELECT * FROM '{csv}'"],
  ['describing', 'SELECT * FROM (DESCRIBE orders)'],
  ['showing', 'SELECT * FROM (SHOW ALL TABLES)'],
  ['a parameter', 'SELECT $1'],
  ['chance', 'SELECT random()'],
  ['chance by sampling', 'SELECT * FROM orders USING SAMPLE 1'],
  ['an id by chance', 'SELECT gen_random_uuid()'],
  ['sleeping', 'SELECT sleep_ms(10000)'],
  ['writing to the log', "SELECT write_log('x')"],
  ['a sequence', "SELECT nextval('s')"],
  ['full-width letters', "SELECT * FROM ｒｅａｄ＿ｔｅｘｔ('{file}')"],
  ['a letter that looks like another', "SELECT * FROM reаd_text('{file}')"],
  ['an invisible sign', "SELECT * FROM read_text\u200b('{file}')"],
  ['a space that is none', "SELECT\u00a0*\u00a0FROM\u00a0read_text('{file}')"],
  ['a NUL', "SELECT 1\u0000; COPY (SELECT 1) TO '{new}'"],
  ['an unfinished comment', "SELECT 1 /* COPY (SELECT 1) TO '{new}'"],
  ['an unfinished string', "SELECT 'x"],
  ['nothing', ' -- nothing'],
  ['a bracket too many', "SELECT 1) TO '{new}'; --"],
];

function filled(sql: string, input: string): string {
  return sql
    .replaceAll('{file}', join(outside, 'secret.txt'))
    .replaceAll('{csv}', join(outside, 'secret.csv'))
    .replaceAll('{new}', join(outside, 'new.txt'))
    .replaceAll('{folder}', outside)
    .replaceAll('{url}', url())
    .replaceAll('{input}', input);
}

describe('SQL that reaches beyond its inputs', () => {
  test.each(ESCAPES)('%s is refused', async (_, sql) => {
    const input = (await kit.deps.objects.localFile(inputs[0]?.dataset.key ?? '')) ?? '';
    const before = await stat(input);
    const refused = await kit.run('transformation', { sql: filled(sql, input) }, { inputs }).then(
      (done) => kit.rows(done.dataset).then((rows) => `ran: ${JSON.stringify(rows)}`),
      (error) => error.code,
    );
    // The schema refuses some before the engine sees them.
    expect(['sql_denied', 'invalid_input'], String(refused)).toContain(refused);
    expect(await readdir(outside)).toEqual(['secret.csv', 'secret.txt']);
    expect(await readFile(join(outside, 'secret.txt'), 'utf8')).toBe('the secret');
    expect((await stat(input)).mtimeMs).toBe(before.mtimeMs);
    expect(visits).toBe(0);
  });

  const EXPRESSIONS = [
    "(SELECT content FROM read_text('{file}'))",
    "1), (SELECT content FROM read_text('{file}')",
    '1) FROM duckdb_settings() --',
    "1 /* ) */ FROM '{csv}' --",
    '1) UNION SELECT (2',
    'sum(id) FILTER (WHERE EXISTS (FROM duckdb_tables()))',
    '1; SELECT 2',
    'id) OVER (PARTITION BY (1',
    '1 ORDER BY (2',
    "current_setting('threads')",
    '*',
  ];
  test.each(EXPRESSIONS)('an expression cannot: %s', async (expression) => {
    const sql = filled(expression, '');
    for (const config of [{ filter: sql }, { derive: { x: sql } }, { steps: [{ derive: { x: sql } }] }]) {
      const failed = await kit.run('transformation', config, { inputs }).then(
        () => 'ran',
        (error) => error.code,
      );
      expect(['sql_denied', 'invalid_input', 'sql_failed'], expression).toContain(failed);
    }
    expect(visits).toBe(0);
  });

  test('every other place for SQL is guarded the same way', async () => {
    const sql = filled("SELECT * FROM read_text('{file}')", '');
    const refused = { code: 'sql_denied' };
    await expect(kit.run('processing', { sql }, { inputs })).rejects.toMatchObject(refused);
    await expect(kit.run('validation', { rules: [{ type: 'sql', query: sql }] }, { inputs })).rejects.toMatchObject(
      refused,
    );
    const expression = `(${sql}) IS NULL`;
    await expect(kit.run('validation', { rules: [{ type: 'sql', expression }] }, { inputs })).rejects.toMatchObject(
      refused,
    );
  });

  test('names of columns and values are quoted', async () => {
    const nasty = `x" FROM read_text('${join(outside, 'secret.txt')}') --`;
    const dataset = await kit.dataset([{ [nasty]: "it's; --", b: 2 }]);
    const over = { inputs: [{ name: `in"put'; --`, dataset }] };
    const done = await kit.run(
      'transformation',
      { steps: [{ rename: { [nasty]: `y"'` } }, { select: [`y"'`] }] },
      over,
    );
    expect(await kit.rows(done.dataset)).toEqual([{ 'y"\'': "it's; --" }]);
    const checked = await kit.run(
      'validation',
      { rules: [{ type: 'set', column: nasty, values: ["it's; --"] }] },
      over,
    );
    expect(checked.summary).toMatchObject({ passed: 1 });
  });
});

describe('SQL without measure', () => {
  const TIME = { code: 'timeout', message: 'The stage took longer than 3 s' };
  const MEMORY = {
    code: 'resource_limit',
    message: expect.stringMatching(/Out of Memory.*\/128\.0 MiB used|more memory than STAGE_MEMORY_MB/),
  };
  const SPACE = {
    code: 'resource_limit',
    message: expect.stringMatching(/failed to offload.*\/64\.0 MiB used|more than STAGE_TEMP_MB/),
  };

  // Each is more than one limit alone: with that one taken out it would end otherwise, or not at all.
  test.each([
    [
      'a recursion without an end',
      'time',
      TIME,
      'WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r',
    ],
    [
      'a series without an end',
      'time',
      TIME,
      'SELECT sum(hash(i)::HUGEINT) AS s FROM generate_series(1, 1000000000000000) t(i)',
    ],
    [
      'a cross join without an end',
      'time',
      TIME,
      'SELECT count(*) AS c FROM range(10000000) a(i), range(10000000) b(i) WHERE hash(a.i + b.i) = 1',
    ],
    ['a list too long', 'memory', MEMORY, 'SELECT len(list(i)) AS l FROM range(20000000) t(i)'],
    [
      'a text too long',
      'memory',
      MEMORY,
      "SELECT length(string_agg(repeat('x', 1000), '')) AS t FROM range(300000) t(i)",
    ],
    [
      'a distinction of too much',
      'space',
      SPACE,
      'SELECT count(*) AS c FROM (SELECT DISTINCT hash(i) AS a, hash(i + 1) AS b, hash(i + 2) AS d FROM range(12000000) t(i))',
    ],
    ['a result too large', 'space', SPACE, 'SELECT hash(i) AS h, hash(i + 1) AS g FROM range(8000000) t(i)'],
  ])('%s ends by the limit of its %s', { timeout: 60_000 }, async (_, by, ends, sql) => {
    const timeout_seconds = by === 'time' ? 3 : 50;
    await expect(kit.run('transformation', { sql }, { inputs, timeout_seconds })).rejects.toMatchObject(ends);
    // The engine is there for the next, whatever became of this one.
    const next = await kit.run('transformation', { sql: 'SELECT id FROM input' }, { inputs });
    expect(await kit.rows(next.dataset)).toEqual([{ id: '1' }]);
    expect(await readdir(join(kit.deps.config.dataDir, 'tmp', 'stages'))).toEqual([]);
  });

  test('a cancelled stage ends at once and gives back the reason', async () => {
    const cancel = new AbortController();
    const sql = 'WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r';
    const running = kit.run('transformation', { sql }, { inputs }, cancel.signal);
    const reason = new Error('cancelled by the caller');
    setTimeout(() => cancel.abort(reason), 300);
    await expect(running).rejects.toBe(reason);
    expect(await readdir(join(kit.deps.config.dataDir, 'tmp', 'stages'))).toEqual([]);
  });
});

describe('SQL that is allowed', () => {
  test.each([
    "SELECT id, upper(name) AS n, [x + 1 for x in [1, 2]] AS l, {'a': 1} AS s FROM orders WHERE name LIKE 'a%';",
    'WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT * FROM r',
    'SELECT * FROM range(3) t(i), unnest([1, 2]) u(x)',
    'SELECT name, sum(id) OVER () AS w FROM input QUALIFY row_number() OVER (ORDER BY name) = 1 -- end',
    "FROM orders SELECT regexp_replace(name, 'a', 'b') AS r, CASE WHEN id > 0 THEN date_trunc('day', TIMESTAMP '2026-01-01') END AS d, coalesce(NULL, 1) AS c",
    "SELECT strftime(DATE '2026-01-02', '%d') AS d, json_extract_string('{\"a\": 1}', '$.a') AS j, extract(year FROM DATE '2026-01-02') AS y, 7 // 2 AS i, 'a' || 'b' AS t",
    'VALUES (1, 2), (3, 4)',
    'SELECT * EXCLUDE (name) FROM orders a SEMI JOIN input b USING (id) UNION ALL BY NAME SELECT 9 AS id ORDER BY id DESC LIMIT 5',
    'SELECT COLUMNS(*) FROM orders LIMIT 0',
    'SELECT name, count(*) AS c, avg(id) AS a, quantile_cont(id, 0.5) AS q FROM input GROUP BY ALL ORDER BY ALL',
  ])('%s', async (sql) => {
    const done = await kit.run('transformation', { sql }, { inputs });
    expect(done.dataset?.rows).toBeGreaterThanOrEqual(0);
  });
});
