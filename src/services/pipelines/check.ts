/** Everything that is wrong with a pipeline, each fault with its place: shape, graph, configurations, expressions. */
import { Failure, type Fault } from '../../schema/failures.ts';
import { isShallow, isStorable, type Json, type JsonObject } from '../../schema/json.ts';
import { STAGE_TYPES } from '../../schema/names.ts';
import { MAX_DEFINITION_BYTES, MAX_DEPTH, PipelineDefinition, STORABLE } from '../../schema/pipelines.ts';
import { checkStage } from './check-stage.ts';
import { cyclesOf, type Edge, needsOf, upstreamOf } from './graph.ts';
import type { CheckOptions, Outline } from './outline.ts';

/** Resolves with the definition, or throws Failure('invalid_pipeline') with every fault. */
export function checkedDefinition(raw: unknown, options: CheckOptions): PipelineDefinition {
  const faults = definitionFaults(raw, options);
  const parsed = PipelineDefinition.safeParse(raw);
  if (faults.length === 0 && parsed.success) return parsed.data;
  const shown = faults.slice(0, 5).map(({ path, message }) => `${path}: ${message}`);
  const rest = faults.length > 5 ? ` (and ${faults.length - 5} more)` : '';
  throw new Failure('invalid_pipeline', `${shown.join('; ')}${rest}`, { faults });
}

export function definitionFaults(raw: unknown, options: CheckOptions): Fault[] {
  if (!isShallow(raw, MAX_DEPTH)) return [{ path: '(pipeline)', message: `must nest ${MAX_DEPTH} deep at most` }];
  const size = Buffer.byteLength(JSON.stringify(raw) ?? '');
  if (size > MAX_DEFINITION_BYTES) {
    return [{ path: '(pipeline)', message: `is ${size} bytes as JSON; at most ${MAX_DEFINITION_BYTES} are allowed` }];
  }
  if (!isStorable(raw)) return [{ path: '(pipeline)', message: STORABLE }];
  const outline = outlineOf(raw);
  const faults = [
    ...shapeFaults(raw),
    ...nameFaults(outline),
    ...edgeFaults(raw, outline),
    ...compensationFaults(outline),
    ...outline.stages.flatMap((_, index) => checkStage(index, outline, options)),
  ];
  const seen = new Set<string>();
  return faults.filter(({ path, message }) => !seen.has(`${path}\n${message}`) && seen.add(`${path}\n${message}`));
}

function shapeFaults(raw: unknown): Fault[] {
  const parsed = PipelineDefinition.safeParse(raw);
  if (parsed.success) return [];
  return parsed.error.issues.flatMap((issue): Fault[] => {
    const path = issue.path.join('.');
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ path: path === '' ? key : `${path}.${key}`, message: 'is not known here' }));
    }
    const isType = issue.path[0] === 'stages' && issue.path.length === 3 && issue.path[2] === 'type';
    const message = isType ? `must be one of ${STAGE_TYPES.join(', ')}` : issue.message;
    return [{ path: path || '(pipeline)', message }];
  });
}

function outlineOf(raw: unknown): Outline {
  const { stages: given, dependencies } = asObject(raw);
  const stages = (Array.isArray(given) ? given : []).map(asObject);
  const names = stages.map(({ name }) => (typeof name === 'string' ? name : null));
  const edges = (Array.isArray(dependencies) ? dependencies : []).map(asObject).flatMap(({ from, to }): Edge[] => {
    const inside = (index: unknown): index is number =>
      typeof index === 'number' && Number.isInteger(index) && index >= 0 && index < stages.length;
    return inside(from) && inside(to) && from !== to ? [{ from, to }] : [];
  });
  const compensates = new Map<number, number>();
  stages.forEach(({ on_failure }, index) => {
    const target = names.indexOf(compensatorOf(on_failure) ?? '');
    if (target >= 0 && target !== index && !compensates.has(target)) compensates.set(target, index);
  });
  return { stages, names, edges, upstream: upstreamOf(needsOf(stages.length, edges)), compensates };
}

function nameFaults({ names }: Outline): Fault[] {
  return names.flatMap((name, index) => {
    const first = names.indexOf(name);
    if (name === null || first === index) return [];
    return [{ path: `stages.${index}.name`, message: `${JSON.stringify(name)} is the name of stage ${first} already` }];
  });
}

function edgeFaults(raw: unknown, { stages, names, edges }: Outline): Fault[] {
  const { dependencies } = asObject(raw);
  const faults: Fault[] = [];
  const seen = new Map<string, number>();
  (Array.isArray(dependencies) ? dependencies : []).map(asObject).forEach(({ from, to }, index) => {
    const path = `dependencies.${index}`;
    for (const [end, value] of [
      ['from', from],
      ['to', to],
    ] as const) {
      if (typeof value === 'number' && Number.isInteger(value) && value >= stages.length) {
        faults.push({
          path: `${path}.${end}`,
          message: `there is no stage ${value}; the last one is ${stages.length - 1}`,
        });
      }
    }
    if (typeof from !== 'number' || typeof to !== 'number') return;
    if (from === to) faults.push({ path, message: `stage ${from} cannot depend on itself` });
    const before = seen.get(`${from} ${to}`);
    if (before !== undefined) faults.push({ path, message: `is the same as dependencies.${before}` });
    else seen.set(`${from} ${to}`, index);
  });
  for (const cycle of cyclesOf(needsOf(stages.length, edges))) {
    const way = cycle.map((stage) => names[stage] ?? `stage ${stage}`).join(' → ');
    faults.push({ path: 'dependencies', message: `the stages need one another in a circle: ${way}` });
  }
  return faults;
}

/** A compensating stage stands outside the graph and belongs to one stage. */
function compensationFaults({ stages, names, edges, compensates }: Outline): Fault[] {
  return stages.flatMap(({ on_failure }, index): Fault[] => {
    const name = compensatorOf(on_failure);
    if (name === undefined) return [];
    const path = `stages.${index}.on_failure.compensate`;
    const target = names.indexOf(name);
    if (target < 0) return [{ path, message: `there is no stage ${JSON.stringify(name)}` }];
    if (target === index) return [{ path, message: 'a stage cannot compensate itself' }];
    const faults: Fault[] = [];
    if (edges.some(({ from, to }) => from === target || to === target)) {
      faults.push({
        path,
        message: `${JSON.stringify(name)} has dependencies, but a compensating stage runs outside them`,
      });
    }
    const owner = compensates.get(target);
    if (owner !== undefined && owner !== index) {
      faults.push({ path, message: `${JSON.stringify(name)} compensates stage ${owner} already` });
    }
    if (compensatorOf(stages[target]?.on_failure) !== undefined) {
      faults.push({ path, message: `${JSON.stringify(name)} names a compensating stage itself` });
    }
    return faults;
  });
}

export function compensatorOf(onFailure: unknown): string | undefined {
  const { compensate } = asObject(onFailure);
  return typeof compensate === 'string' ? compensate : undefined;
}

function asObject(value: unknown): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, Json>) : {};
}
