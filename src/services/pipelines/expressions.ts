/** Conditions and templates of pipelines: CEL, which has no loops without bound, no functions of ours and no prototypes. */
import { runInNewContext } from 'node:vm';
import { Environment } from '@marcbachmann/cel-js';
import { Failure } from '../../schema/failures.ts';
import type { Json, JsonObject } from '../../schema/json.ts';
import { isPlain, loopsIn, namesRead, readsIn } from './expression-tree.ts';

/** What expressions can name. `stages` holds only stages that are over. */
export interface Scope {
  input: Json;
  parameters: JsonObject;
  stages: JsonObject;
  run: JsonObject;
  /** One item of `for_each` and its place; absent outside. */
  item?: Json;
  item_index?: number;
}

/** Most characters of one expression, loops in loops, and time that all expressions of one stage may take. */
const MAX_CHARACTERS = 2_000;
const MAX_LOOPS = 3;
export const MAX_MS = 250;
/** What a clock on the wall may show meanwhile, try by try, and the share of the time that is an expression's own doing. */
const WALL_MS = [MAX_MS, 2 * MAX_MS, 4 * MAX_MS];
const OWN_SHARE = 0.8;
/** Most bytes, as JSON, of what expressions make. */
export const MAX_RESULT_BYTES = 256 * 1024;

const NAMES = ['input', 'parameters', 'stages', 'run', 'item', 'item_index'] as const;

/** JSON knows one kind of number, CEL two that do not mix: mixed arithmetic is done in doubles. */
function environment(): Environment {
  const made = new Environment({
    homogeneousAggregateLiterals: false,
    limits: { maxAstNodes: 500, maxDepth: 40, maxListElements: 200, maxMapEntries: 200, maxCallArguments: 10 },
  });
  for (const name of NAMES) made.registerVariable(name, 'dyn');
  const mixed: [string, (a: number, b: number) => number][] = [
    ['+', (a, b) => a + b],
    ['-', (a, b) => a - b],
    ['*', (a, b) => a * b],
    ['/', (a, b) => a / b],
  ];
  for (const [sign, act] of mixed) {
    made.registerOperator(`int ${sign} double`, (a, b) => act(Number(a), b));
    made.registerOperator(`double ${sign} int`, (a, b) => act(a, Number(b)));
  }
  return made;
}

const env = environment();

export interface Expression {
  text: string;
  /** Names of stages that it reads; null when it reads one by a computed name. */
  stages: ReadonlySet<string> | null;
  /** Whether it reads `item` or `item_index`. */
  usesItem: boolean;
  /** Whether what it makes is bounded by what it reads: it goes through no list and calls nothing that makes more. */
  plain: boolean;
  /** How often it reads something. */
  reads: number;
  run(scope: CelScope): unknown;
}

/** A scope in the library's own values: made once for all expressions of a stage. */
export type CelScope = Record<string, unknown>;

export function celScope(scope: Scope): CelScope {
  return toCel({ ...scope }) as CelScope;
}

/**
 * Parses one expression. `names` are the stages of the pipeline: after `stages.` a name with dashes counts as one name,
 * while CEL itself would subtract. Throws Failure('invalid_pipeline') with the place of the fault.
 */
export function parseExpression(source: string, names: readonly string[]): Expression {
  if (source.length > MAX_CHARACTERS) throw invalid(`is longer than ${MAX_CHARACTERS} characters`);
  const text = quoteNames(source.trim(), names);
  try {
    const parsed = env.parse(text);
    const checked = parsed.check();
    if (!checked.valid) throw checked.error ?? new Error('is not valid');
    if (loopsIn(parsed.ast) > MAX_LOOPS) throw invalid(`goes through lists in lists more than ${MAX_LOOPS} deep`);
    const read = { ...namesRead(parsed.ast), plain: isPlain(parsed.ast), reads: readsIn(parsed.ast) };
    return { text, ...read, run: (scope) => parsed(scope) };
  } catch (error) {
    throw invalid(reasonOf(error));
  }
}

/** `stages.data-ingestion.output` becomes `stages["data-ingestion"].output`, for names of this pipeline only. */
function quoteNames(text: string, names: readonly string[]): string {
  const dashed = names.filter((name) => /^[A-Za-z_][\w-]*$/.test(name) && name.includes('-'));
  if (dashed.length === 0) return text;
  const alternatives = dashed.sort((a, b) => b.length - a.length).join('|');
  return text.replace(new RegExp(`\\bstages\\.(${alternatives})(?![\\w-])`, 'g'), 'stages["$1"]');
}

/**
 * Evaluates within a fixed time, whatever the expressions are; memory is no part of it (`expression-pool.ts`). What was
 * given no processor in that time begins anew, with twice and four times as much. `work` changes nothing. Throws
 * Failure('invalid_pipeline') for an error in one, a result too large, or the time used up; Failure('unavailable') where
 * the machine has no time to give.
 */
export function withinTime<T>(work: () => T): T {
  for (const timeout of WALL_MS) {
    const before = process.threadCpuUsage();
    try {
      return runInNewContext('work()', { work }, { timeout }) as T;
    } catch (error) {
      if (error instanceof Failure) throw error;
      if ((error as { code?: unknown } | null)?.code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw invalid(reasonOf(error));
      const { user, system } = process.threadCpuUsage(before);
      if ((user + system) / 1_000 > MAX_MS * OWN_SHARE) throw tooSlow();
    }
  }
  throw new Failure('unavailable', 'The machine has no time for expressions');
}

export function tooSlow(): Failure {
  return invalid(`takes longer than ${MAX_MS} ms`);
}

/** The value of one expression as JSON. */
export function evaluate(expression: Expression, scope: CelScope): Json {
  return fromCel(expression.run(scope));
}

export function invalid(message: string): Failure {
  return new Failure('invalid_pipeline', message);
}

function reasonOf(error: unknown): string {
  if (error instanceof Failure) return error.message;
  const summary = (error as { summary?: unknown } | null)?.summary;
  if (typeof summary === 'string') return summary;
  return error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
}

function toCel(value: unknown): unknown {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(toCel);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, toCel(part)]));
}

function fromCel(value: unknown): Json {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'bigint') {
    if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < BigInt(Number.MIN_SAFE_INTEGER)) return String(value);
    return Number(value);
  }
  if (typeof value === 'number') {
    if (Number.isFinite(value)) return value;
    throw invalid('gives a number that JSON cannot hold');
  }
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(fromCel);
  if (value instanceof Map) {
    return Object.fromEntries([...value].map(([key, part]) => [String(key), fromCel(part)]));
  }
  if (typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, fromCel(part)]));
  }
  throw invalid('gives a value that JSON cannot hold');
}
