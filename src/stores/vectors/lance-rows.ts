/** The table as LanceDB stores it: its Arrow schema and the way rows become columns. */
import {
  type Data,
  Field,
  FixedSizeList,
  Float32,
  Int64,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  Utf8,
  vectorFromArray,
} from 'apache-arrow';
import type { VectorRow } from '../contract.ts';

const TEXT_COLUMNS = ['id', 'owner', 'source', 'content_type', 'author', 'content_hash'] as const;

export function tableSchema(dimensions: number): Schema {
  return new Schema([
    ...TEXT_COLUMNS.map((name) => new Field(name, new Utf8(), name === 'author')),
    new Field('occurred_at', new Int64(), true),
    new Field('vector', vectorType(dimensions), false),
  ]);
}

/** Rows as one record batch. The vectors are copied into one block, without a number object for each value. */
export function toTable(rows: VectorRow[], dimensions: number): Table {
  const schema = tableSchema(dimensions);
  const block = new Float32Array(rows.length * dimensions);
  rows.forEach((row, at) => {
    block.set(row.vector, at * dimensions);
  });
  const children: Data[] = TEXT_COLUMNS.map((name) => {
    return column(
      rows.map((row) => row[name]),
      new Utf8(),
    );
  });
  children.push(
    column(
      rows.map((row) => (row.occurred_at === null ? null : BigInt(row.occurred_at))),
      new Int64(),
    ),
    makeData({
      type: vectorType(dimensions),
      length: rows.length,
      nullCount: 0,
      child: makeData({ type: new Float32(), length: block.length, nullCount: 0, data: block }),
    }),
  );
  const data = makeData({ type: new Struct(schema.fields), length: rows.length, nullCount: 0, children });
  return new Table(schema, new RecordBatch(schema, data));
}

/** Dimensions of the vectors in a stored table, or null when its column is not what this code writes. */
export function storedDimensions(schema: { fields: { name: string; type: { toString(): string } }[] }): number | null {
  const type = schema.fields.find((field) => field.name === 'vector')?.type;
  return type && 'listSize' in type && typeof type.listSize === 'number' ? type.listSize : null;
}

function vectorType(dimensions: number): FixedSizeList<Float32> {
  return new FixedSizeList(dimensions, new Field('item', new Float32(), true));
}

function column(values: (string | bigint | null)[], type: Utf8 | Int64): Data {
  const [data] = vectorFromArray(values, type).data;
  if (!data) throw new Error('An Arrow column without data');
  return data;
}
