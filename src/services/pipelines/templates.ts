/** Templates in configurations: `${expression}` inside text, and text that is nothing else keeps the value's type. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are the templates themselves
import type { Json } from '../../schema/json.ts';
import {
  celScope,
  type Expression,
  evaluate,
  invalid,
  MAX_RESULT_BYTES,
  parseExpression,
  type Scope,
} from './expressions.ts';

/** Most templates of one stage. */
const MAX_TEMPLATES = 200;

export interface Template {
  /** Where in the configuration, as `a.0.b`. */
  path: string;
  text: string;
}

type Part = { text: string } | { expression: string };

/** Splits `a ${b} c`; `$${` stands for `${` itself. Throws Failure('invalid_pipeline') for one that does not end. */
export function splitTemplate(text: string): Part[] {
  const parts: Part[] = [];
  let plain = '';
  for (let at = 0; at < text.length; ) {
    if (text.startsWith('$${', at)) {
      plain += '${';
      at += 3;
    } else if (text.startsWith('${', at)) {
      const end = endOfExpression(text, at + 2);
      if (plain) parts.push({ text: plain });
      plain = '';
      parts.push({ expression: text.slice(at + 2, end) });
      at = end + 1;
    } else {
      plain += text[at];
      at += 1;
    }
  }
  if (plain || parts.length === 0) parts.push({ text: plain });
  return parts;
}

/** Where the brace that closes the expression stands: braces of maps and quoted ones do not count. */
function endOfExpression(text: string, from: number): number {
  let depth = 0;
  let quote: string | null = null;
  for (let at = from; at < text.length; at += 1) {
    const sign = text[at] ?? '';
    if (quote !== null) {
      if (sign === '\\') at += 1;
      else if (sign === quote) quote = null;
    } else if (sign === '"' || sign === "'") quote = sign;
    else if (sign === '{') depth += 1;
    else if (sign === '}') {
      if (depth === 0) return at;
      depth -= 1;
    }
  }
  throw invalid('holds ${ without its }');
}

/** Every text with a template in it. Throws Failure('invalid_pipeline') when there are too many. */
export function templatesOf(value: Json | undefined, path = ''): Template[] {
  const found: Template[] = [];
  const visit = (part: Json | undefined, at: string): void => {
    if (typeof part === 'string') {
      if (part.includes('${')) found.push({ path: at, text: part });
    } else if (typeof part === 'object' && part !== null) {
      for (const [key, inner] of Object.entries(part)) visit(inner, at === '' ? key : `${at}.${key}`);
    }
  };
  visit(value, path);
  if (found.length > MAX_TEMPLATES) throw invalid(`holds ${found.length} templates, more than ${MAX_TEMPLATES}`);
  return found;
}

/** The expressions of one text. */
export function expressionsOf(text: string, names: readonly string[]): Expression[] {
  return splitTemplate(text).flatMap((part) => ('expression' in part ? [parseExpression(part.expression, names)] : []));
}

/** A condition or a list: the expression itself, or in the form of a template. */
export function bareExpression(text: string, names: readonly string[]): Expression {
  const parts = splitTemplate(text.trim());
  const [only] = parts;
  if (parts.length === 1 && only && 'expression' in only) return parseExpression(only.expression, names);
  return parseExpression(text, names);
}

function asText(made: Json): string {
  return typeof made === 'string' ? made : JSON.stringify(made);
}

/** A copy in which every template is replaced. To be called within `withinTime`. */
export function resolveTemplates<T extends Json>(value: T, names: readonly string[], scope: Scope): T {
  const cel = celScope(scope);
  let left = MAX_RESULT_BYTES;
  const spend = (bytes: number): void => {
    left -= bytes;
    if (left < 0) throw invalid(`templates give more than ${MAX_RESULT_BYTES} bytes`);
  };
  const text = (source: string): Json => {
    if (!source.includes('${')) return source;
    const parts = splitTemplate(source);
    const [only] = parts;
    if (parts.length === 1 && only && 'expression' in only) {
      const made = evaluate(parseExpression(only.expression, names), cel);
      spend(JSON.stringify(made).length);
      return made;
    }
    // Part by part: what is too large is not put together first.
    let made = '';
    for (const part of parts) {
      const next = 'text' in part ? part.text : asText(evaluate(parseExpression(part.expression, names), cel));
      spend(JSON.stringify(next).length - 2);
      made += next;
    }
    spend(2);
    return made;
  };
  const copy = (part: Json): Json => {
    if (typeof part === 'string') return text(part);
    if (Array.isArray(part)) return part.map(copy);
    if (typeof part !== 'object' || part === null) return part;
    return Object.fromEntries(Object.entries(part).map(([key, inner]) => [key, copy(inner)]));
  };
  return copy(value) as T;
}
