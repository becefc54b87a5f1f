/** JSON schemas of operations as a model should read them: exact, and without what only costs tokens. */
import { z } from 'zod';
import { brieflyAnswered, brieflySent } from './brief-schema.ts';

type Node = Record<string, unknown>;
export type ObjectSchema = Node & { type: 'object' };

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

/** Both for a list, which every session pays for. They admit all that the whole ones do; one tool's are given whole. */
export function listedSchemas(input: z.ZodObject, output: z.ZodType): { input: ObjectSchema; output?: ObjectSchema } {
  const whole = outputSchema(output);
  return {
    input: { ...brieflySent(inputSchema(input)), type: 'object' },
    ...(whole && { output: { ...brieflyAnswered(whole), type: 'object' } }),
  };
}

function toNode(schema: z.ZodType): Node {
  const whole = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' }) as Node;
  const free = anyJson(whole.$defs as Record<string, Node> | undefined);
  const node = compact(whole, free) as Node;
  delete node.$schema;
  if (free.size > 0 && free.size === Object.keys((whole.$defs as Node | undefined) ?? {}).length) delete node.$defs;
  return node;
}

/** Definitions that stand for any JSON at all, which need no words. */
function anyJson(definitions: Record<string, Node> | undefined): Set<string> {
  const kinds = ['string', 'number', 'boolean', 'null', 'array', 'object'];
  const isAny = ({ anyOf }: Node) =>
    Array.isArray(anyOf) &&
    anyOf.length === kinds.length &&
    anyOf.every((branch: Node, at) => branch.type === kinds[at]);
  const found = Object.entries(definitions ?? {}).filter(([, definition]) => isAny(definition));
  return new Set(found.map(([name]) => `#/$defs/${name}`));
}

/** Drops what zod adds and no model reads: patterns beside a format, the bounds of safe integers, that names are text. */
function compact(value: unknown, free: ReadonlySet<string>): unknown {
  if (Array.isArray(value)) return value.map((part) => compact(part, free));
  if (typeof value !== 'object' || value === null) return value;
  if ('$ref' in value && free.has(String(value.$ref))) return {};
  const node: Node = {};
  for (const [key, part] of Object.entries(value)) {
    if (key === 'pattern' && 'format' in value) continue;
    if (part === Number.MAX_SAFE_INTEGER || part === Number.MIN_SAFE_INTEGER) continue;
    const short = compact(part, free);
    if (key === 'propertyNames' && JSON.stringify(short) === '{"type":"string"}') continue;
    if (key === 'additionalProperties' && JSON.stringify(short) === '{}') continue;
    node[key] = short;
  }
  return node;
}
