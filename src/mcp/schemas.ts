/** JSON schemas of operations as a model should read them: exact, and without what only costs tokens. */
import { z } from 'zod';

type Node = Record<string, unknown>;
type ObjectSchema = Node & { type: 'object' };

/** The schema of what a caller sends. */
export function inputSchema(schema: z.ZodObject): ObjectSchema {
  return { ...toNode(schema), type: 'object' };
}

/**
 * The schema of what comes back, as `run` returns it (before defaults and transforms apply). Undefined when that is
 * not an object: such results are plain text.
 */
export function outputSchema(schema: z.ZodType): ObjectSchema | undefined {
  const node = toNode(schema);
  if (node.type === 'object') return { ...node, type: 'object' };
  const branches = node.anyOf ?? node.oneOf;
  const objects = Array.isArray(branches) && branches.every((branch: Node) => branch.type === 'object');
  // Clients of 2025 accept only roots that say they are objects.
  return objects ? { ...node, type: 'object' } : undefined;
}

function toNode(schema: z.ZodType): Node {
  const node = compact(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' })) as Node;
  delete node.$schema;
  return node;
}

/** Drops what zod adds and no model reads: patterns beside a format, and the bounds of safe integers. */
function compact(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(compact);
  if (typeof value !== 'object' || value === null) return value;
  const node: Node = {};
  for (const [key, part] of Object.entries(value)) {
    if (key === 'pattern' && 'format' in value) continue;
    if (part === Number.MAX_SAFE_INTEGER || part === Number.MIN_SAFE_INTEGER) continue;
    node[key] = compact(part);
  }
  return node;
}
