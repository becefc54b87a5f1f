/** An HTML report that stands alone: what the data is, charts of it, and its first rows. */
import { Failure } from '../../../schema/failures.ts';
import type { Json } from '../../../schema/json.ts';
import type { Measure } from '../../../schema/stages/common.ts';
import type { ArtifactRef } from '../../../schema/stages/contract.ts';
import type { Chart, ReportOutput } from '../../../schema/stages/output.ts';
import { isNumeric } from '../analysis/profile.ts';
import type { Session } from '../engine/pool.ts';
import { type Column, type Job, mainInput, POSITION, writeTextArtifact } from '../job.ts';
import { measureSql, TEMPORAL } from '../measures.ts';
import { name } from '../quote.ts';
import { barChart, escapeHtml, lineChart, scatterChart } from './charts.ts';

const MAX_CELL = 200;
const MAX_CHOSEN = 6;

export async function writeReport(job: Job<unknown>, session: Session, settings: ReportOutput): Promise<ArtifactRef> {
  const { columns, rows } = mainInput(job);
  const charts = settings.charts ?? chosen(columns);
  const drawn: string[] = [];
  for (const [at, chart] of charts.entries()) {
    drawn.push(
      `<figure><figcaption>${escapeHtml(titleOf(chart))}</figcaption>${await draw(session, chart, columns, `report.charts.${at}`)}</figure>`,
    );
  }
  const first =
    settings.rows === 0
      ? []
      : await session.query(`SELECT * EXCLUDE (${POSITION}) FROM __input ORDER BY ${POSITION} LIMIT ${settings.rows}`, {
          at: 'report.rows',
        });
  const head = columns
    .map((column) => `<th title="${escapeHtml(column.type)}">${escapeHtml(column.name)}</th>`)
    .join('');
  const body = first.map((row) => `<tr>${columns.map((column) => cell(row[column.name])).join('')}</tr>`).join('\n');
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(settings.title)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escapeHtml(settings.title)}</h1>
${settings.description === undefined ? '' : `<p>${escapeHtml(settings.description)}</p>`}
<p class="facts">${rows} rows, ${columns.length} columns</p>
${drawn.join('\n')}
${first.length === 0 ? '' : `<h2>First ${first.length} rows</h2>\n<div class="table"><table><thead><tr>${head}</tr></thead>\n<tbody>${body}</tbody></table></div>`}
</body>
</html>
`;
  return writeTextArtifact(job, settings.name, html);
}

const STYLE = `body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
figure{margin:2rem 0}figcaption{font-weight:600}svg{width:100%;height:auto}.bar{fill:#3b6ea8}.line{fill:none;stroke:#3b6ea8;stroke-width:2}
.dot{fill:#3b6ea8}.grid{stroke:#d8dee4}.tick{font-size:11px;fill:#57606a}.table{overflow-x:auto}table{border-collapse:collapse}
th,td{border-bottom:1px solid #d8dee4;padding:.25rem .6rem;text-align:left;white-space:nowrap}.facts{color:#57606a}`;

/** By the columns' types: numbers as histograms, times as lines, short texts as bars. */
function chosen(columns: readonly Column[]): Chart[] {
  return columns
    .flatMap((column): Chart[] => {
      if (isNumeric(column)) return [{ type: 'histogram', x: column.name, limit: 20 }];
      if (TEMPORAL.test(column.type)) return [{ type: 'line', x: column.name, limit: 400 }];
      return column.type === 'VARCHAR' || column.type === 'BOOLEAN' ? [{ type: 'bar', x: column.name, limit: 15 }] : [];
    })
    .slice(0, MAX_CHOSEN);
}

function titleOf(chart: Chart): string {
  if (chart.title !== undefined) return chart.title;
  if (chart.type === 'histogram') return `Distribution of ${chart.x}`;
  const { y } = chart;
  const what =
    y === undefined
      ? 'rows'
      : typeof y === 'string'
        ? y
        : `${y.function}${y.column === undefined ? '' : ` of ${y.column}`}`;
  return `${what} by ${chart.x}`;
}

async function draw(session: Session, chart: Chart, columns: readonly Column[], at: string): Promise<string> {
  const find = (wanted: string) => {
    const found = columns.find((column) => column.name.toLowerCase() === wanted.toLowerCase());
    if (!found)
      throw new Failure(
        'invalid_input',
        `${at}: there is no column ${wanted}; there are ${columns.map((column) => column.name).join(', ')}`,
      );
    return found;
  };
  const x = find(chart.x);
  if (chart.type === 'histogram') return histogram(session, x, chart.limit, at);
  if (chart.type === 'scatter') {
    if (typeof chart.y !== 'string') throw new Failure('invalid_input', `${at}.y: a scatter needs a column`);
    const points = await session.query(
      `SELECT ${name(x.name)}::DOUBLE AS x, ${name(find(chart.y).name)}::DOUBLE AS y FROM __input WHERE x IS NOT NULL AND y IS NOT NULL AND isfinite(x) AND isfinite(y) ORDER BY ${POSITION} LIMIT ${chart.limit}`,
      { at },
    );
    return scatterChart(points.map((row) => ({ x: Number(row.x), y: Number(row.y) })));
  }
  const measure: Measure =
    typeof chart.y === 'string' ? { function: 'sum', column: chart.y } : (chart.y ?? { function: 'count' });
  if (measure.column !== undefined) find(measure.column);
  const value = measureSql(measure, columns, POSITION);
  // A line goes along its axis; bars go from the largest down.
  const order = chart.type === 'line' ? 'grouped' : 'value DESC, grouped';
  const rows = await session.query(
    `SELECT ${name(x.name)} AS grouped, grouped::VARCHAR AS label, (${value})::DOUBLE AS value FROM __input GROUP BY grouped ORDER BY ${order} LIMIT ${chart.limit}`,
    { at },
  );
  const points = rows.map((row) => ({
    label: row.label === null ? '(none)' : String(row.label),
    value: Number(row.value ?? 0),
  }));
  return chart.type === 'line' ? lineChart(points) : barChart(points);
}

async function histogram(session: Session, { name: column }: Column, bins: number, at: string): Promise<string> {
  const value = `${name(column)}::DOUBLE`;
  const rows = await session.query(
    `WITH bounds AS (SELECT min(v) AS low, max(v) AS high FROM (SELECT ${value} AS v FROM __input WHERE isfinite(${value})))
     SELECT low, high, CASE WHEN high > low THEN least(${bins - 1}, floor((${value} - low) / (high - low) * ${bins})) ELSE 0 END::INTEGER AS bin, count(*) AS count
     FROM __input, bounds WHERE isfinite(${value}) GROUP BY ALL ORDER BY bin`,
    { at },
  );
  const [first] = rows;
  if (!first) return barChart([]);
  const [low, high] = [Number(first.low), Number(first.high)];
  const counts = new Map(rows.map((row) => [Number(row.bin), Number(row.count)]));
  const width = (high - low) / bins;
  const drawn = high > low ? bins : 1;
  return barChart(
    Array.from({ length: drawn }, (_, bin) => ({
      label: String(Number((low + bin * width).toPrecision(4))),
      value: counts.get(bin) ?? 0,
    })),
  );
}

function cell(value: Json | undefined): string {
  const text =
    value === null || value === undefined ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value);
  return `<td>${escapeHtml(text.length > MAX_CELL ? `${text.slice(0, MAX_CELL)}…` : text)}</td>`;
}
