/** A join with another input, in the order of the left rows and then of the right ones. */
import { Failure } from '../../../schema/failures.ts';
import type { TransformationStep } from '../../../schema/stages/transformation.ts';
import type { Session } from '../engine/pool.ts';
import { describe, type Job, POSITION } from '../job.ts';
import { literal, name, paren } from '../quote.ts';
import { type Stand, same, visible } from './stand.ts';

type Join = NonNullable<TransformationStep['join']>;
const RIGHT = '__right_position';

export async function joinSql(
  job: Job<unknown>,
  session: Session,
  from: Stand,
  join: Join,
  at: string,
): Promise<string> {
  const other = job.request.inputs.find((input) => same(input.name, join.with));
  if (!other) {
    const known = job.request.inputs.map((input) => input.name).join(', ');
    throw new Failure('invalid_input', `${at}.with: ${join.with} is no input of this stage; there are ${known}`);
  }
  const file = await job.workspace.bring(other.dataset.key);
  const right = `SELECT * EXCLUDE (file_row_number), file_row_number AS ${RIGHT} FROM read_parquet(${literal(file)}, file_row_number=true)`;
  const rightColumns = (await describe(session, right, { at }))
    .map((column) => column.name)
    .filter((column) => column !== RIGHT);
  const leftColumns = visible(from.columns);
  const pairs = Array.isArray(join.on) ? join.on.map((key) => [key, key] as const) : Object.entries(join.on);
  check(
    at,
    'on',
    pairs.map(([left]) => left),
    leftColumns,
  );
  check(
    at,
    'on',
    pairs.map(([, key]) => key),
    rightColumns,
  );
  const condition = pairs.map(([left, key]) => `l.${name(left)} = r.${name(key)}`).join(' AND ');
  if (join.type === 'semi' || join.type === 'anti') {
    return `SELECT l.* FROM ${paren(from.sql)} l ${join.type.toUpperCase()} JOIN ${paren(right)} r ON ${condition}`;
  }
  const keys = pairs.map(([, key]) => key);
  const taken = join.select ?? rightColumns.filter((column) => !keys.some((key) => same(key, column)));
  check(at, 'select', taken, rightColumns);
  const from_right = taken.map((column) => {
    const as = leftColumns.some((left) => same(left, column)) ? `${join.prefix}${column}` : column;
    return `r.${name(column)} AS ${name(as)}`;
  });
  // Where only the right side has a row, its key stands in the column of the left one.
  const left = leftColumns.map((column) => {
    const pair = pairs.find(([key]) => same(key, column));
    const both = pair && (join.type === 'right' || join.type === 'full');
    return both ? `coalesce(l.${name(column)}, r.${name(pair[1])}) AS ${name(column)}` : `l.${name(column)}`;
  });
  const position = `row_number() OVER (ORDER BY l.${POSITION} NULLS LAST, r.${RIGHT} NULLS LAST) AS ${POSITION}`;
  return `SELECT ${[...left, ...from_right, position].join(', ')} FROM ${paren(from.sql)} l ${join.type.toUpperCase()} JOIN ${paren(right)} r ON ${condition}`;
}

function check(at: string, part: string, wanted: readonly string[], known: readonly string[]): void {
  const missing = wanted.filter((column) => !known.some((candidate) => same(candidate, column)));
  if (missing.length > 0) {
    throw new Failure(
      'invalid_input',
      `${at}.${part}: there is no column ${missing.join(', ')}; there are ${known.join(', ')}`,
    );
  }
}
