/** The six stages of the benchmark, as a pipeline's configurations, and the orders that they work on. */
import { DuckDBInstance } from '@duckdb/node-api';
import type { JsonObject } from '../../src/schema/json.ts';
import type { TaskType } from '../../src/schema/names.ts';

export const ROWS = 1_000_000;

/**
 * Writes `rows` orders as CSV: whole numbers, decimals, dates and texts, every value a formula of the row's number, so
 * that the same call gives the same bytes everywhere. One row in 5,000 has a quantity of zero, one in 10,000 no region.
 */
export async function writeOrders(file: string, rows: number = ROWS): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  await connection.run(`COPY (
    SELECT i + 1 AS order_id,
      DATE '2025-01-01' + ((i * 7919) % 365)::INTEGER AS ordered_on,
      CASE WHEN i % 10000 = 77 THEN NULL ELSE ['north', 'south', 'east', 'west', 'centre'][1 + (i * 31 % 5)] END AS region,
      'customer ' || (i * 977 % 50021) AS customer,
      'product-' || (i * 613 % 997) AS product,
      CASE WHEN i % 5000 = 13 THEN 0 ELSE 1 + i * 13 % 9 END AS quantity,
      (100 + i * 7919 % 99900)::DECIMAL(12, 2) / 100 AS price,
      i * 17 % 30 AS discount_percent
    FROM range(${rows}) t(i)
  ) TO '${file.replaceAll("'", "''")}' (FORMAT csv, HEADER)`);
  connection.closeSync();
  instance.closeSync();
}

/** The SELECT of the processing stage: the tax of each row. */
export const TAX_SQL = 'SELECT *, round(total * 0.19, 2)::DECIMAL(14, 2) AS tax FROM batch';

/** In order; `source` is where the orders are, as the first stage names it. */
export function benchStages(source: string): { name: string; type: TaskType; config: JsonObject }[] {
  return [
    {
      name: 'ingest',
      type: 'data-ingestion',
      config: { source, format: 'csv', delimiter: ',', schema: { price: 'DECIMAL(12,2)' } },
    },
    {
      name: 'transform',
      type: 'transformation',
      config: {
        steps: [
          { filter: 'quantity > 0' },
          {
            derive: {
              total: '(price * quantity * (100 - discount_percent) / 100)::DECIMAL(14, 2)',
              month: "date_trunc('month', ordered_on)::DATE",
            },
          },
          { rename: { customer: 'buyer' } },
        ],
      },
    },
    {
      name: 'analyse',
      type: 'analysis',
      config: {
        profile: { columns: ['region', 'product', 'quantity', 'price', 'total'] },
        quantiles: { columns: ['total'] },
        correlations: { columns: ['quantity', 'total'] },
        groups: [{ by: ['region'], measures: { revenue: { function: 'sum', column: 'total' } } }],
        time_series: [
          { column: 'ordered_on', bucket: 'month', measures: { revenue: { function: 'sum', column: 'total' } } },
        ],
      },
    },
    {
      name: 'validate',
      type: 'validation',
      config: {
        rules: [
          { type: 'not_null', column: 'region', threshold: 0.01 },
          { type: 'unique', column: 'order_id' },
          { type: 'range', column: 'price', min: 1, max: 1000 },
          { type: 'row_count', min: 1 },
        ],
      },
    },
    { name: 'process', type: 'processing', config: { sql: TAX_SQL, batch_size: 10_000, parallel_workers: 2 } },
    { name: 'output', type: 'output', config: { files: [{ format: 'csv', name: 'orders.csv' }] } },
  ];
}
