/** What can be told of an expression from its tree alone: the names it reads, its loops, whether it can make much of little. */
import type { ASTNode } from '@marcbachmann/cel-js';

/** Functions whose result is no larger than what they are given. */
const SMALL = new Set([
  ...['has', 'size', 'int', 'double', 'bool', 'string', 'startsWith', 'endsWith', 'contains'],
  ...['lowerAscii', 'upperAscii', 'trim'],
]);
/** Calls that go through a list, with a variable that is new inside. */
const LOOPS = new Set(['all', 'exists', 'exists_one', 'map', 'filter']);

export function namesRead(ast: ASTNode): { stages: ReadonlySet<string> | null; usesItem: boolean } {
  const stages = new Set<string>();
  let computed = false;
  let usesItem = false;
  const visit = (node: ASTNode): void => {
    if (node.op === 'id' && (node.args === 'item' || node.args === 'item_index')) usesItem = true;
    if (node.op === 'id' && node.args === 'stages') computed = true;
    const name = stageRead(node);
    if (name === undefined) childrenOf(node).forEach(visit);
    else stages.add(name);
  };
  visit(ast);
  return { stages: computed ? null : stages, usesItem };
}

/** How many loops stand in one another. */
export function loopsIn(ast: ASTNode): number {
  const inner = Math.max(0, ...childrenOf(ast).map(loopsIn));
  return ast.op === 'rcall' && LOOPS.has(calledBy(ast)) ? inner + 1 : inner;
}

/** Whether it goes through no list and calls nothing that makes more of what it is given. */
export function isPlain(node: ASTNode): boolean {
  if ((node.op === 'call' || node.op === 'rcall') && !SMALL.has(calledBy(node))) return false;
  return childrenOf(node).every(isPlain);
}

/** How often it names something: each may stand for all that the run was given. */
export function readsIn(node: ASTNode): number {
  return childrenOf(node).reduce((sum, child) => sum + readsIn(child), node.op === 'id' ? 1 : 0);
}

function calledBy({ args }: ASTNode): string {
  return Array.isArray(args) ? String(args[0]) : '';
}

function childrenOf({ args }: ASTNode): ASTNode[] {
  const found: ASTNode[] = [];
  const collect = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(collect);
    else if (typeof value === 'object' && value !== null && 'op' in value) found.push(value as ASTNode);
  };
  collect(args);
  return found;
}

/** The name in `stages.name` and `stages["name"]`; undefined for anything else. */
function stageRead({ op, args }: ASTNode): string | undefined {
  if (op !== '.' && op !== '[]') return undefined;
  const [of, key] = args as [ASTNode, string | ASTNode];
  if (of.op !== 'id' || of.args !== 'stages') return undefined;
  if (typeof key === 'string') return key;
  return key.op === 'value' && typeof key.args === 'string' ? key.args : undefined;
}
