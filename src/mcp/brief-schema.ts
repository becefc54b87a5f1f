/** JSON schemas cut down for lists. What is left out only widens them: whatever fits the whole one fits these. */

type Node = Record<string, unknown>;

/** Levels of objects in an answer whose fields are named. */
const LEVELS = 1;
/** Longer lists of values in an answer are left out: it says them itself. */
const MOST_VALUES = 90;
const ANSWERED = new Set(['type', 'properties', 'items', 'enum', 'const', 'anyOf', 'oneOf', 'description']);
/** A call that breaks one of these is told so, with the field. */
const UNTOLD = new Set(['pattern', 'minLength', 'maxLength', 'minItems', 'maxItems', 'propertyNames']);

/** Of what a caller sends, all but the lengths and patterns of texts and lists. */
export function brieflySent(node: Node): Node {
  return prune(node) as Node;
}

function prune(value: unknown, isName = false): unknown {
  if (Array.isArray(value)) return value.map((part) => prune(part));
  if (typeof value !== 'object' || value === null) return value;
  const short: Node = {};
  for (const [key, part] of Object.entries(value)) {
    // Below `properties` stand names of fields, whatever they are.
    if (!isName && (UNTOLD.has(key) || (key === 'additionalProperties' && part === false))) continue;
    short[key] = key === 'default' || key === 'enum' ? part : prune(part, !isName && key === 'properties');
  }
  return short;
}

/** Of what comes back, names and types. */
export function brieflyAnswered(schema: Node): Node {
  const { required } = schema;
  return { ...brief(schema, LEVELS), ...(required === undefined ? {} : { required }) };
}

function brief(node: Node, levels: number): Node {
  if (typeof node.$ref === 'string') return {};
  const branches = (node.anyOf ?? node.oneOf) as Node[] | undefined;
  if (branches) return either(node, branches, levels);
  if (levels === 0 && node.type === 'object') return { type: 'object' };
  const short: Node = {};
  for (const [key, value] of Object.entries(node)) {
    if (!ANSWERED.has(key)) continue;
    if (key === 'enum' && JSON.stringify(value).length > MOST_VALUES) continue;
    if (key === 'properties') {
      const fields = Object.entries(value as Record<string, Node>);
      short.properties = Object.fromEntries(fields.map(([name, field]) => [name, brief(field, levels - 1)]));
    } else if (key === 'items') short.items = brief(value as Node, levels);
    else short[key] = value;
  }
  return short;
}

/** `X or null` is X whose type may also be null; other choices stay choices. */
function either(node: Node, branches: Node[], levels: number): Node {
  const [only, another] = branches.filter(({ type }) => type !== 'null');
  const described = node.description === undefined ? {} : { description: node.description };
  if (only && !another && typeof only.type === 'string' && branches.length === 2) {
    const { enum: _values, const: _value, ...rest } = brief(only, levels);
    return { ...rest, ...described, type: [only.type, 'null'] };
  }
  return { anyOf: branches.map((branch) => brief(branch, levels)), ...described };
}
