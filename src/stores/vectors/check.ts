/** What every vector index checks before it sends rows to its engine. */
import { Failure } from '../../schema/failures.ts';
import type { VectorRow } from '../contract.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** One row an id, the last one winning: engines write both when one batch names an id twice. Throws on a faulty row. */
export function checkRows(rows: VectorRow[], dimensions: number): VectorRow[] {
  for (const row of rows) {
    checkId(row.id);
    checkVector(row.vector, dimensions);
    if (row.occurred_at !== null && !Number.isSafeInteger(row.occurred_at)) {
      throw new Failure('invalid_input', `occurred_at of ${row.id} is not whole milliseconds: ${row.occurred_at}`);
    }
  }
  const byId = new Map(rows.map((row) => [row.id, row]));
  return byId.size === rows.length ? rows : [...byId.values()];
}

/** Ids are UUIDs in lower case, so that two spellings of one id can never be two rows. */
export function checkId(id: string): void {
  if (!UUID.test(id)) throw new Failure('invalid_input', `Not a record id: ${JSON.stringify(id.slice(0, 100))}`);
}

export function checkVector(vector: Float32Array, dimensions: number): void {
  if (vector.length !== dimensions) {
    throw new Failure('invalid_input', `A vector of ${vector.length} dimensions where the index has ${dimensions}`);
  }
  let squares = 0;
  for (const value of vector) squares += value * value;
  if (!Number.isFinite(squares) || squares === 0) {
    throw new Failure(
      'invalid_input',
      'A vector needs finite numbers and a length above zero to be compared by cosine',
    );
  }
}

export function checkLimit(k: number): void {
  if (!Number.isSafeInteger(k) || k < 1 || k > 10_000) {
    throw new Failure('invalid_input', `A search returns 1 to 10000 rows, not ${k}`);
  }
}
