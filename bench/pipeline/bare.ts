/** What the six stages do, as one DuckDB script in one process: tables in memory, nothing kept that is not a result. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { TAX_SQL } from './stages.ts';

/** Reads `file` and leaves `orders.csv`, `rejects.ndjson` and `analysis.json` in `folder`. */
export async function bareScript(
  file: string,
  folder: string,
  limits: { threads: number; memoryMb: number },
): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:', {
    threads: String(limits.threads),
    memory_limit: `${limits.memoryMb}MiB`,
    temp_directory: join(folder, 'spill'),
  });
  const connection = await instance.connect();
  const rows = async (sql: string) => (await connection.runAndReadAll(sql)).getRowObjectsJson();
  try {
    // data-ingestion
    await connection.run(
      `CREATE TABLE orders AS SELECT * FROM read_csv('${file}', delim=',', quote='"', escape='"', header=true, nullstr='', types={'price': 'DECIMAL(12,2)'})`,
    );
    // transformation
    await connection.run(`CREATE TABLE transformed AS SELECT order_id, ordered_on, region, customer AS buyer, product, quantity, price, discount_percent,
      (price * quantity * (100 - discount_percent) / 100)::DECIMAL(14, 2) AS total, date_trunc('month', ordered_on)::DATE AS month FROM orders WHERE quantity > 0`);
    // analysis
    const analysis: Record<string, unknown> = {};
    for (const column of ['region', 'product', 'quantity', 'price', 'total']) {
      const numeric = !['region', 'product'].includes(column);
      analysis[column] = {
        ...(
          await rows(
            `SELECT count(*) AS rows, count(${column}) AS count, min(${column}) AS low, max(${column}) AS high, count(DISTINCT ${column}) AS different${numeric ? `, avg(${column}) AS mean, stddev_samp(${column}) AS deviation` : ''} FROM transformed`,
          )
        )[0],
        top: await rows(
          `SELECT ${column}, count(*) AS count FROM transformed WHERE ${column} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 5`,
        ),
      };
    }
    analysis.quantiles = await rows(
      'SELECT quantile_cont(total::DOUBLE, [0.05, 0.25, 0.5, 0.75, 0.95]) AS q FROM transformed',
    );
    analysis.correlation = await rows('SELECT corr(quantity, total) AS c FROM transformed');
    analysis.groups = await rows(
      'SELECT region, count(*) AS count, sum(total) AS revenue FROM transformed GROUP BY region ORDER BY 2 DESC, 1',
    );
    analysis.series = await rows(
      "SELECT date_trunc('month', ordered_on) AS month, count(*) AS count, sum(total) AS revenue FROM transformed GROUP BY 1 ORDER BY 1",
    );
    writeFileSync(join(folder, 'analysis.json'), JSON.stringify(analysis, null, 2));
    // validation
    const [faults] = await rows(
      `SELECT count(*) FILTER (WHERE region IS NULL) AS regions, count(*) FILTER (WHERE price < 1 OR price > 1000) AS prices FROM transformed`,
    );
    const repeated = await rows('SELECT order_id FROM transformed GROUP BY order_id HAVING count(*) > 1');
    if (Number(faults?.regions) > 10_000 || Number(faults?.prices) > 0 || repeated.length > 0)
      throw new Error('the orders are not valid');
    await connection.run(
      `COPY (SELECT * FROM transformed WHERE region IS NULL) TO '${join(folder, 'rejects.ndjson')}' (FORMAT json)`,
    );
    await connection.run('CREATE TABLE batch AS SELECT * FROM transformed WHERE region IS NOT NULL');
    // processing
    await connection.run(`CREATE TABLE processed AS ${TAX_SQL}`);
    // output
    await connection.run(`COPY processed TO '${join(folder, 'orders.csv')}' (FORMAT csv, HEADER)`);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
