/** Decides by the engine's own parse tree whether a user's SQL may run: one SELECT over its inputs, and nothing else. */

/** Rows made from arguments alone. Every other function in FROM reads something. */
const TABLE_FUNCTIONS = new Set([
  'range',
  'generate_series',
  'unnest',
  'json_each',
  'json_tree',
  'repeat',
  'repeat_row',
]);

/** Names of the grammar that the catalogue of functions does not list. */
const GRAMMAR_FUNCTIONS = [
  ...['row_number', 'rank', 'dense_rank', 'percent_rank', 'cume_dist', 'ntile', 'lag', 'lead', 'fill'],
  ...['first_value', 'last_value', 'nth_value', 'unnest', 'count_star', 'list_value', 'struct_pack', 'row', 'grouping'],
];

/**
 * Functions that tell of the engine or the session, change it, wait, or answer differently each time: the last would
 * give another result when a stage is repeated. `VOLATILE` ones are left out by the catalogue's own word.
 */
const DENIED =
  /^(pg_(?!typeof|size_pretty)|duckdb_|has_|inet_|json_(serialize|deserialize|execute)_|current_(setting|database|schema|schemas|catalog|user|role|query|connection|transaction)|(session_)?user$|getvariable|getenv|set_config|query(_table)?$|txid_|in_search_path|create_sort_key|parse_duckdb_log|get_block_size|map_to_pg_oid|format_pg_type|(col|obj|shobj)_description|__internal|write_|version$|shell_|which_|sniff_|read_|glob$)/;

/** Statements that are seen through: the rest of the catalogue's views begin with these. */
const RESERVED_NAMES = /^(duckdb_|pg_|sqlite_|information_schema|pragma_)/;

/** What may run in several threads and still give the same rows in the same order: row by row, no more. */
const ORDER_BOUND_KEYS = new Set(['JOIN', 'SET_OPERATION_NODE', 'RECURSIVE_CTE_NODE', 'PIVOT', 'WINDOW', 'SUBQUERY']);

export interface Catalogue {
  /** Scalar and aggregate functions and macros that answer the same each time. */
  steady: ReadonlySet<string>;
  aggregates: ReadonlySet<string>;
}

export interface Verdict {
  /** Why it may not run; null when it may. */
  fault: string | null;
  /** Whether its result could depend on how threads share the rows. */
  needsOneThread: boolean;
}

/** `tree`: what `json_serialize_sql` gave. `views`: names that may be read, in lower case. */
export function judge(
  tree: unknown,
  kind: 'select' | 'expression',
  views: ReadonlySet<string>,
  known: Catalogue,
): Verdict {
  if (!isObject(tree)) return denied('is not SQL');
  if (tree.error === true) return denied(parserWords(tree));
  const statements = Array.isArray(tree.statements) ? tree.statements : [];
  const [statement] = statements;
  if (statements.length !== 1 || !isObject(statement) || !isObject(statement.node)) return denied('must be one SELECT');
  if (kind === 'expression' && !isBareExpression(statement.node)) return denied('must be one expression');
  const walk: Walk = { known, names: new Set(views), fault: null, needsOneThread: false };
  collectCtes(statement, walk);
  visit(statement, walk);
  return { fault: walk.fault, needsOneThread: walk.needsOneThread };
}

interface Walk {
  known: Catalogue;
  names: Set<string>;
  fault: string | null;
  needsOneThread: boolean;
}

const denied = (fault: string): Verdict => ({ fault, needsOneThread: false });

function parserWords(tree: Record<string, unknown>): string {
  const message = typeof tree.error_message === 'string' ? tree.error_message : '';
  if (message.startsWith('Only SELECT')) return 'must be a SELECT';
  return `cannot be parsed: ${message.split('\n')[0] ?? ''}`;
}

/** `SELECT (…)` and no more: a parenthesis that the text closed by itself would show as something else. */
function isBareExpression(node: Record<string, unknown>): boolean {
  const empty = (value: unknown) =>
    value === null || value === undefined || (Array.isArray(value) && value.length === 0);
  const from = node.from_table;
  return (
    node.type === 'SELECT_NODE' &&
    Array.isArray(node.select_list) &&
    node.select_list.length === 1 &&
    !(isObject(node.select_list[0]) && node.select_list[0].class === 'STAR') &&
    (from === null || (isObject(from) && from.type === 'EMPTY')) &&
    [
      node.modifiers,
      node.where_clause,
      node.group_expressions,
      node.group_sets,
      node.having,
      node.qualify,
      node.sample,
    ].every(empty)
  );
}

function collectCtes(value: unknown, walk: Walk): void {
  if (Array.isArray(value)) for (const entry of value) collectCtes(entry, walk);
  if (!isObject(value)) return;
  const map = isObject(value.cte_map) ? value.cte_map.map : undefined;
  for (const entry of Array.isArray(map) ? map : []) {
    const name = isObject(entry) && typeof entry.key === 'string' ? entry.key.toLowerCase() : '';
    if (RESERVED_NAMES.test(name)) walk.fault ??= `must not name a part of itself ${name}`;
    else walk.names.add(name);
  }
  if (typeof value.cte_name === 'string' && !RESERVED_NAMES.test(value.cte_name.toLowerCase())) {
    walk.names.add(value.cte_name.toLowerCase());
  }
  for (const entry of Object.values(value)) collectCtes(entry, walk);
}

/** Every object of the tree is looked at, wherever it hangs: nothing new in the grammar can hide a table or a call. */
function visit(value: unknown, walk: Walk): void {
  if (walk.fault !== null) return;
  if (Array.isArray(value)) {
    for (const entry of value) visit(entry, walk);
    return;
  }
  if (!isObject(value)) return;
  const type = String(value.type ?? '');
  if (type === 'TABLE_FUNCTION') {
    visitTableFunction(value, walk);
    return;
  }
  if ('table_name' in value && 'schema_name' in value) checkTable(value, walk);
  if ('function_name' in value) checkFunction(value, walk);
  if (type === 'SHOW_REF') walk.fault ??= 'must not use SHOW or DESCRIBE';
  if (value.class === 'PARAMETER') walk.fault ??= 'must not have parameters';
  if (ORDER_BOUND_KEYS.has(type) || value.class === 'WINDOW') walk.needsOneThread = true;
  if (Array.isArray(value.modifiers) && value.modifiers.length > 0) walk.needsOneThread = true;
  if (Array.isArray(value.group_expressions) && value.group_expressions.length > 0) walk.needsOneThread = true;
  if (isObject(value.sample)) walk.fault ??= 'must not sample: each attempt would take other rows';
  for (const entry of Object.values(value)) visit(entry, walk);
}

function visitTableFunction(table: Record<string, unknown>, walk: Walk): void {
  const call = isObject(table.function) ? table.function : {};
  const name = String(call.function_name ?? '').toLowerCase();
  if (!TABLE_FUNCTIONS.has(name) || call.schema || call.catalog) {
    walk.fault ??= `must not read from ${name || 'a function'}()`;
    return;
  }
  walk.needsOneThread = true;
  for (const [key, entry] of Object.entries(table)) if (key !== 'function') visit(entry, walk);
  visit(call.children, walk);
}

function checkTable(table: Record<string, unknown>, walk: Walk): void {
  const name = String(table.table_name ?? '');
  if (table.schema_name || table.catalog_name)
    walk.fault ??= `must not read from ${[table.catalog_name, table.schema_name, name].filter(Boolean).join('.')}`;
  else if (!walk.names.has(name.toLowerCase())) {
    walk.fault ??= `must not read from ${JSON.stringify(name)}; there are ${[...walk.names].sort().join(', ') || 'no inputs'}`;
  }
}

function checkFunction(call: Record<string, unknown>, walk: Walk): void {
  const name = String(call.function_name ?? '').toLowerCase();
  if (name === '') return;
  // The parser itself puts these before what its grammar turns into calls; no user's function can be there.
  const own =
    ['', 'main', 'pg_catalog'].includes(String(call.schema ?? '')) &&
    ['', 'system'].includes(String(call.catalog ?? ''));
  if (!own) walk.fault ??= `must not name the schema of ${name}()`;
  else if (
    /^[\p{L}_]/u.test(name) &&
    (DENIED.test(name) || !(walk.known.steady.has(name) || GRAMMAR_FUNCTIONS.includes(name)))
  ) {
    walk.fault ??= `must not call ${name}()`;
  }
  if (walk.known.aggregates.has(name)) walk.needsOneThread = true;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
