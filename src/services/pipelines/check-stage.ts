/** What can be wrong with one stage beyond its shape: fields that do not fit its type, its configuration, its expressions. */
import { Failure, type Fault } from '../../schema/failures.ts';
import type { Json } from '../../schema/json.ts';
import { TASK_TYPES, type TaskType } from '../../schema/names.ts';
import { stageFaults } from '../../schema/stages/index.ts';
import type { Expression } from './expressions.ts';
import type { CheckOptions, Outline } from './outline.ts';
import { bareExpression, expressionsOf, type Template, templatesOf } from './templates.ts';

export function checkStage(index: number, outline: Outline, options: CheckOptions): Fault[] {
  const stage = outline.stages[index] ?? {};
  const at = (path: string) => `stages.${index}.${path}`;
  const faults: Fault[] = [];
  const add = (path: string, message: string): void => void faults.push({ path: at(path), message });

  if (typeof stage.timeout === 'number' && stage.timeout > options.maxTimeout) {
    add('timeout', `must be 1 to ${options.maxTimeout} seconds (TASK_TIMEOUT)`);
  }
  if (stage.type === 'operation') {
    if (typeof stage.operation !== 'string') add('operation', 'a stage of type operation names the operation it runs');
    else if (!options.operates(stage.operation)) {
      add('operation', `there is no operation ${JSON.stringify(stage.operation)} that a pipeline can run`);
    }
    for (const field of ['config', 'executor', 'capabilities']) {
      if (stage[field] !== undefined) add(field, 'does not belong to a stage of type operation');
    }
  } else {
    for (const field of ['operation', 'input']) {
      if (stage[field] !== undefined) add(field, 'belongs to stages of type operation only');
    }
    if (stage.executor === 'builtin' && Array.isArray(stage.capabilities) && stage.capabilities.length > 0) {
      add('capabilities', 'mean something for agents only, and executor is builtin');
    }
  }
  // A stage that only agents do carries whatever they understand.
  const ours = stage.executor !== 'agent' && TASK_TYPES.includes(stage.type as TaskType);
  faults.push(...templateFaults(index, outline, 'input', stage.input).faults);
  const config = templateFaults(index, outline, 'config', stage.config);
  faults.push(...config.faults);
  if (ours && isObjectOrAbsent(stage.config)) {
    for (const fault of stageFaults(stage.type as TaskType, stage.config)) {
      if (config.templates.some(({ path }) => touches(fault.path, path.slice('config.'.length)))) continue;
      add(fault.path === '' ? 'config' : `config.${fault.path}`, fault.message);
    }
  }
  if (typeof stage.when === 'string') faults.push(...bareFaults(index, outline, 'when', stage.when, false));
  const { items } = (stage.for_each ?? {}) as { items?: Json };
  if (typeof items === 'string') faults.push(...bareFaults(index, outline, 'for_each.items', items, false));
  return faults;
}

/** What a template will stand for is only known when it runs, so nothing is said of its place, nor of what holds it. */
function touches(fault: string, template: string): boolean {
  return fault === template || fault === '' || template.startsWith(`${fault}.`) || fault.startsWith(`${template}.`);
}

function isObjectOrAbsent(value: Json | undefined): boolean {
  return value === undefined || (typeof value === 'object' && value !== null && !Array.isArray(value));
}

function templateFaults(
  index: number,
  outline: Outline,
  field: string,
  value: Json | undefined,
): { faults: Fault[]; templates: Template[] } {
  const path = `stages.${index}.${field}`;
  const read = attempt(path, () => templatesOf(value, field));
  if ('faults' in read) return { faults: read.faults, templates: [] };
  const names = knownNames(outline);
  const hasItem = outline.stages[index]?.for_each !== undefined;
  const faults = read.value.flatMap((template) => {
    const place = `stages.${index}.${template.path}`;
    const parsed = attempt(place, () => expressionsOf(template.text, names));
    if ('faults' in parsed) return parsed.faults;
    return parsed.value.flatMap((expression) => referenceFaults(index, outline, place, expression, hasItem));
  });
  return { faults, templates: read.value };
}

function bareFaults(index: number, outline: Outline, field: string, text: string, hasItem: boolean): Fault[] {
  const place = `stages.${index}.${field}`;
  const parsed = attempt(place, () => bareExpression(text, knownNames(outline)));
  return 'faults' in parsed ? parsed.faults : referenceFaults(index, outline, place, parsed.value, hasItem);
}

function referenceFaults(
  index: number,
  outline: Outline,
  path: string,
  { stages, usesItem }: Expression,
  hasItem: boolean,
): Fault[] {
  const faults: Fault[] = [];
  if (usesItem && !hasItem) faults.push({ path, message: 'item is known inside a stage with for_each only' });
  if (stages === null) faults.push({ path, message: 'stages must be read by name, as in stages["clean"]' });
  for (const name of stages ?? []) {
    const target = outline.names.indexOf(name);
    const quoted = JSON.stringify(name);
    if (target < 0) faults.push({ path, message: `there is no stage ${quoted}` });
    else if (!reads(index, outline).has(target)) {
      faults.push({ path, message: `stage ${quoted} is not upstream, so it may not be over by then` });
    }
  }
  return faults;
}

/** A compensating stage reads what its stage could read, and the failed stage itself. */
function reads(index: number, { upstream, compensates }: Outline): ReadonlySet<number> {
  const failed = compensates.get(index);
  if (failed === undefined) return upstream[index] ?? new Set();
  return new Set([...(upstream[failed] ?? []), failed]);
}

const knownNames = ({ names }: Outline) => names.filter((name) => name !== null);

function attempt<T>(path: string, act: () => T): { value: T } | { faults: Fault[] } {
  try {
    return { value: act() };
  } catch (error) {
    if (error instanceof Failure) return { faults: [{ path, message: error.message }] };
    throw error;
  }
}
