/** Schemas as one line of text that a model reads at a glance: `{ format?: csv|json, rows?: {…}[] }`. */
import { z } from 'zod';

type Node = Record<string, unknown>;

/** Longer choices are only begun. */
const MOST_CHOICES = 8;

/**
 * What may be sent by `schema`, without bounds and patterns. Objects below `depth` levels are only hinted at; of the
 * outermost, fields named in `omit` are left out.
 */
export function signature(schema: z.ZodType, depth: number, omit: readonly string[] = []): string {
  const node = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' }) as Node;
  return write(node, depth, omit);
}

function write(node: Node, depth: number, omit: readonly string[] = []): string {
  if (node.const !== undefined) return String(node.const);
  if (Array.isArray(node.enum)) return choices(node.enum.map(String));
  const branches = branchesOf(node);
  if (branches) return [...new Set(branches.map((branch) => write(branch, depth)))].join(' | ');
  if (node.type === 'array') {
    const items = (node.items ?? {}) as Node;
    const text = write(items, depth);
    return branchesOf(items) || Array.isArray(items.enum) ? `(${text})[]` : `${text}[]`;
  }
  if (node.type === 'object') return object(node, depth, omit);
  return typeof node.type === 'string' ? node.type : 'any';
}

function branchesOf(node: Node): Node[] | undefined {
  return (node.anyOf ?? node.oneOf) as Node[] | undefined;
}

function choices(values: string[]): string {
  return values.length <= MOST_CHOICES ? values.join('|') : `${values.slice(0, MOST_CHOICES - 1).join('|')}|…`;
}

/** What holds when nothing is said; of lists and objects it tells little. */
function fallback(value: unknown): string {
  return value === undefined || value === '' || typeof value === 'object' ? '' : ` = ${value}`;
}

function object(node: Node, depth: number, omit: readonly string[]): string {
  if (depth === 0) return '{…}';
  const { properties, required = [] } = node as { properties?: Record<string, Node>; required?: string[] };
  if (!properties) {
    const value = node.additionalProperties;
    return `{ [name]: ${typeof value === 'object' && value !== null ? write(value as Node, depth - 1) : 'any'} }`;
  }
  const fields = Object.entries(properties)
    .filter(([name]) => !omit.includes(name))
    .map(([name, field]) => {
      const mark = required.includes(name) ? '' : '?';
      return `${name}${mark}: ${write(field, depth - 1)}${fallback(field.default)}`;
    });
  return `{ ${fields.join(', ')} }`;
}
