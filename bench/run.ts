/** `npm run bench [a b c d e f p-a p-b p-c p-d p-e] [--large]`: measures and writes `bench/RESULTS.md`. Rows not asked for keep their old figures. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, platform, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { benchDispatch } from './engine/dispatch.ts';
import { benchSmallFile } from './engine/small-file.ts';
import { benchIngest, benchMemory } from './ingest/run.ts';
import { benchLive } from './live/run.ts';
import { benchMcp } from './mcp/run.ts';
import { benchPipeline } from './pipeline/run.ts';
import { benchSystem } from './pipeline/system.ts';
import { benchQuery } from './query/run.ts';
import type { Row } from './row.ts';
import { benchTasks } from './tasks/run.ts';

const RESULTS = fileURLToPath(new URL('./RESULTS.md', import.meta.url));
const LOCK = fileURLToPath(new URL('../package-lock.json', import.meta.url));

const BENCHES: Record<string, () => Promise<Row[]>> = {
  a: benchIngest,
  b: async () => [await benchMemory()],
  c: benchMcp,
  d: () => benchQuery(),
  e: () => benchQuery({ large: true }),
  f: async () => [await benchDispatch(), ...(await benchSmallFile())],
  'p-a': async () => [await benchSystem(), await benchPipeline()],
  'p-b': () => benchTasks(['p-b']),
  'p-c': () => benchTasks(['p-c']),
  'p-d': () => benchTasks(['p-d']),
  'p-e': benchLive,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { large: { type: 'boolean', default: false } },
});
const unknown = positionals.filter((id) => !(id in BENCHES));
if (unknown.length > 0) {
  console.error(`bench: no row ${unknown.join(', ')}; there are ${Object.keys(BENCHES).join(', ')}`);
  process.exit(2);
}
// (e) takes long and much memory: only when it is asked for.
const wanted = positionals.length > 0 ? positionals : Object.keys(BENCHES).filter((id) => id !== 'e' || values.large);

const lines = new Map(Object.keys(BENCHES).map((id) => [id, oldLines(id)]));
let missed = 0;
for (const id of wanted) {
  console.log(`(${id}) …`);
  const rows = (await BENCHES[id]?.()) ?? [];
  for (const row of rows) console.log(`  ${row.what}: ${row.value} (target ${row.target})${row.met ? '' : ' MISSED'}`);
  missed += rows.filter((row) => !row.met).length;
  lines.set(id, rows.map(lineOf));
  writeFileSync(RESULTS, document());
}
console.log(`written to bench/RESULTS.md; ${missed === 0 ? 'every target met' : `${missed} missed`}`);
process.exit(missed === 0 ? 0 : 1);

function lineOf(row: Row): string {
  const today = new Date().toISOString().slice(0, 10);
  return `| ${row.id} | ${row.what} | ${row.value} | ${row.target} | ${row.met ? 'yes' : '**no**'} | ${today} |`;
}

function oldLines(id: string): string[] {
  if (!existsSync(RESULTS)) return [];
  return readFileSync(RESULTS, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith(`| ${id} |`));
}

function document(): string {
  const version = (name: string) =>
    JSON.parse(readFileSync(LOCK, 'utf8')).packages[`node_modules/${name}`]?.version ?? '?';
  const machine = `${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}), ${Math.round(totalmem() / 2 ** 30)} GiB, ${platform()}`;
  return `# Results

Made by \`npm run bench\`. Every figure is a ratio or a median of one run, the sides taking turns.

Machine: ${machine}. Node ${process.version}, Temporal SDK ${version('@temporalio/worker')}, MCP SDK ${version('@modelcontextprotocol/server')} beside ${version('@modelcontextprotocol/sdk')}, LanceDB ${version('@lancedb/lancedb')}.

| row | what | measured | target | met | date |
|---|---|---|---|---|---|
${[...lines.values()].flat().join('\n')}
`;
}
