/** Rules about the data as a whole: how many rows, how new, and what a query of the user finds. */

import type { Session } from '../engine/pool.ts';
import { TEMPORAL } from '../measures.ts';
import { literal, name } from '../quote.ts';
import type { CheckedRule } from './rules.ts';

/** How many failures the rule finds: for a count of rows or a freshness, one or none. */
export async function wholeFailures(session: Session, { rule, at }: CheckedRule, rows: number): Promise<number> {
  if (rule.type === 'row_count') {
    return (rule.min !== undefined && rows < rule.min) || (rule.max !== undefined && rows > rule.max) ? 1 : 0;
  }
  if (rule.type === 'freshness') {
    const described = await session.query(`DESCRIBE SELECT ${name(rule.column)} FROM __input`, { at });
    const time = TEMPORAL.test(String(described[0]?.column_type))
      ? name(rule.column)
      : `TRY_CAST(${name(rule.column)} AS TIMESTAMP)`;
    const now = rule.as_of === undefined ? 'now()' : `${literal(rule.as_of)}::TIMESTAMPTZ`;
    const [row] = await session.query(`SELECT epoch(${now}) - epoch(max(${time})) AS age FROM __input`, { at });
    // Nothing at all is never fresh.
    return row?.age === null || row?.age === undefined || Number(row.age) > rule.max_age_seconds ? 1 : 0;
  }
  if (rule.type === 'sql' && rule.query !== undefined) {
    const view = name(`__found_${at}`);
    await session.run(`CREATE VIEW ${view} AS ${rule.query}`, { at: `${at}.query` });
    const [row] = await session.query(`SELECT count(*) AS n FROM ${view}`, { at: `${at}.query` });
    return Number(row?.n ?? 0);
  }
  return 0;
}
