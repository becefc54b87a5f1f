/** Configurations: every fault with its path, before any data is there. */
import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../src/schema/json.ts';
import { TASK_TYPES, type TaskType } from '../../../src/schema/names.ts';
import { stageFaults } from '../../../src/schema/stages/index.ts';
import { sqlExpressionFault, sqlSelectFault } from '../../../src/schema/stages/sql.ts';

const paths = (type: TaskType, config: unknown) => stageFaults(type, config).map((fault) => fault.path);

describe('configurations of stages', () => {
  test.each(TASK_TYPES)('%s needs none, takes that of a task that stands alone, and no unknown key', (type) => {
    expect(stageFaults(type, {})).toEqual([]);
    expect(stageFaults(type, undefined)).toEqual([]);
    expect(
      stageFaults(type, { data_source: 's3://bucket/data.csv', parameters: { format: 'csv', delimiter: ',' } }),
    ).toEqual([]);
    expect(stageFaults(type, { whatever: 1 })).toEqual([{ path: 'whatever', message: 'is not known here' }]);
    expect(stageFaults(type, 'text')).toHaveLength(1);
  });

  test('every fault is listed with its path', () => {
    expect(
      paths('validation', {
        rules: [{ type: 'not_null' }, { type: 'nope' }, { type: 'range', column: 'a', min: 1, more: 2 }],
        keep: 'some',
      }).sort(),
    ).toEqual(['keep', 'rules.0', 'rules.1.type', 'rules.2.more']);
    expect(paths('transformation', { steps: [{ cast: { a: 'DROP TABLE x; --' } }, {}, { filter: '1; 2' }] })).toEqual([
      'steps.0.cast.a',
      'steps.1',
      'steps.2.filter',
    ]);
    expect(paths('output', { files: [{ format: 'xlsx' }], table: { name: 'A', mode: 'upsert' } }).sort()).toEqual([
      'files.0.format',
      'table.key',
      'table.name',
    ]);
  });

  test.each<[TaskType, JsonObject]>([
    ['data-ingestion', { source: 'ftp://x/y' }],
    ['data-ingestion', { source: 'file:../../etc/passwd' }],
    ['data-ingestion', { source: 'a', rows: [] }],
    ['transformation', { sql: 'SELECT 1', limit: 1 }],
    ['transformation', { steps: [{ limit: 1, filter: 'true' }] }],
    ['analysis', { quantiles: { points: [2] } }],
    ['validation', { rules: [{ type: 'sql' }] }],
    ['validation', { rules: [{ type: 'row_count' }] }],
    ['processing', { sql: 'SELECT * FROM batch', embed: { column: 'a' } }],
    ['processing', { batch_size: 0 }],
    ['output', { key: '/etc/passwd' }],
    ['output', { key: 'a/../b' }],
    ['output', { table: { name: 'x', mode: 'upsert' } }],
    ['output', { files: [{ format: 'csv' }], name: 'x.csv' }],
  ])('%s refuses %j', (type, config) => {
    expect(stageFaults(type, config)).not.toEqual([]);
  });
});

describe('SQL as far as it can be told without parsing', () => {
  test.each([
    'SELECT 1',
    ' (select 1) ; ',
    'WITH a AS (SELECT \';\' /* ; /* ; */ */) SELECT $$;$$, $x$;$$;$x$, "a;" FROM a -- ;',
    'FROM x',
    'VALUES (1)',
    "SELECT E'\\';' , 'it''s;'",
  ])('%s is one SELECT', (sql) => {
    expect(sqlSelectFault(sql)).toBeNull();
  });
  test.each([
    '',
    '-- x',
    ';',
    'DROP TABLE x',
    'SELECT 1; SELECT 2',
    "SELECT '",
    'SELECT /*',
    'SELECT $a$',
    'SELECT "',
    'SELECT (1',
    'SELECT 1)',
    'SELECT [1)',
    'COPY x TO y',
    'SELECT 1\0',
  ])('%j is not', (sql) => {
    expect(sqlSelectFault(sql)).not.toBeNull();
  });
  test.each(['a + 1', "'; '", '(SELECT max(a) FROM b)', "CASE WHEN a THEN ';' END -- x"])(
    '%s is an expression',
    (sql) => {
      expect(sqlExpressionFault(sql)).toBeNull();
    },
  );
  test.each(['', ' ', 'a; b', 'a) FROM (b', "'", '/*'])('%j is not', (sql) => {
    expect(sqlExpressionFault(sql)).not.toBeNull();
  });
});
