/** One piece of work with expressions, as plain data, and how it is done: here, or in a process of its own. */
import type { Json, JsonObject } from '../../schema/json.ts';
import { celScope, type Expression, evaluate, invalid, type Scope, withinTime } from './expressions.ts';
import { bareExpression, expressionsOf, resolveTemplates, templatesOf } from './templates.ts';

/** `value`: one condition or list. `templates`: a copy of `value` with its templates replaced. `names`: of all stages. */
export type ExpressionJob = { names: readonly string[]; scope: Scope } & (
  | { op: 'value'; text: string }
  | { op: 'templates'; value: JsonObject }
);

/** Most bytes, as JSON, of the list or value that one expression gives. */
const MAX_VALUE_BYTES = 1024 * 1024;

/** So much may be read at once here: as often, or as many bytes as JSON, counted anew each time they are read. */
const PLAIN_READS = 16;
const PLAIN_BYTES = 4 * 1024 * 1024;

/** Throws Failure('invalid_pipeline') for an error in an expression, too large a result, or time used up. */
export function perform(job: ExpressionJob): Json {
  return withinTime(() => {
    if (job.op === 'templates') return resolveTemplates(job.value, job.names, job.scope);
    const value = evaluate(bareExpression(job.text, job.names), celScope(job.scope));
    if (Buffer.byteLength(JSON.stringify(value)) > MAX_VALUE_BYTES)
      throw invalid(`gives more than ${MAX_VALUE_BYTES} bytes`);
    return value;
  });
}

/**
 * The job with no stage in its scope that no expression of it reads, and whether all of them are plain and together read
 * little enough to be evaluated here.
 */
export function prepared(job: ExpressionJob): { job: ExpressionJob; plain: boolean } {
  const read = expressionsIn(job);
  const names = new Set<string>();
  for (const { stages } of read) {
    if (stages === null) return { job, plain: false };
    for (const name of stages) names.add(name);
  }
  const stages = Object.fromEntries(Object.entries(job.scope.stages).filter(([name]) => names.has(name)));
  const scope = { ...job.scope, stages };
  return { job: { ...job, scope }, plain: read.every(({ plain }) => plain) && readsLittle(read, scope) };
}

function readsLittle(read: readonly Expression[], scope: Scope): boolean {
  const reads = read.reduce((sum, one) => sum + one.reads, 0);
  return reads <= PLAIN_READS || reads * Buffer.byteLength(JSON.stringify(scope)) <= PLAIN_BYTES;
}

/** Whether a template in `value` reads `item` or its place: only then does the list behind it matter. */
export function readsItem(value: JsonObject, names: readonly string[]): boolean {
  return templatesOf(value).some(({ text }) => expressionsOf(text, names).some(({ usesItem }) => usesItem));
}

function expressionsIn(job: ExpressionJob): Expression[] {
  if (job.op === 'value') return [bareExpression(job.text, job.names)];
  return templatesOf(job.value).flatMap(({ text }) => expressionsOf(text, job.names));
}
