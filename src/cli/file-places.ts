/** From the path of a field, as the API names it, to where it stands in a YAML or JSON file. */
import { type Document, isAlias, isMap, isNode, isScalar, isSeq, type Node, type Pair } from 'yaml';
import type { Fault } from '../schema/failures.ts';

/**
 * The offset of the value that a fault is about. What is not in the file (a field that is missing, one that came by
 * a merge) is shown at the nearest thing around it; an unknown key at the key itself.
 */
export function placeOf(document: Document.Parsed, fault: Fault): number {
  const segments = fault.path
    .replace(/\[(\d+)\]/g, '.$1')
    .split('.')
    .filter(Boolean);
  let place = document.contents?.range?.[0] ?? 0;
  let key = place;
  let node: unknown = document.contents;
  let rest = segments;
  while (rest.length > 0) {
    const found = step(document, node, rest);
    if (!found) break;
    place = found.place;
    key = found.key;
    node = found.value;
    rest = found.rest;
  }
  if (rest.length > 0) return place;
  if (fault.message === UNKNOWN) return key;
  return unknownKey(document, node, fault.message) ?? place;
}

/** What the API says of a key that it does not know. */
const UNKNOWN = 'is not known here';

interface Step {
  value: unknown;
  place: number;
  /** Where its key stands; in a list, the same. */
  key: number;
  rest: string[];
}

function step(document: Document.Parsed, from: unknown, segments: string[]): Step | null {
  const node = resolved(document, from);
  if (isSeq(node)) {
    const value = node.items[Number(segments[0])];
    const place = startOf(value) ?? startOf(node) ?? 0;
    return value === undefined ? null : { value, place, key: place, rest: segments.slice(1) };
  }
  if (!isMap(node)) return null;
  // Keys may hold dots themselves; the path does not tell, so the shortest one that is there wins.
  for (let taken = 1; taken <= segments.length; taken++) {
    const pair = pairOf(node.items, segments.slice(0, taken).join('.'));
    if (!pair) continue;
    const place = placeOfPair(pair);
    return { value: pair.value, place, key: startOf(pair.key) ?? place, rest: segments.slice(taken) };
  }
  return null;
}

function resolved(document: Document.Parsed, node: unknown): unknown {
  return isAlias(node) ? node.resolve(document) : node;
}

function pairOf(items: Pair[], key: string): Pair | undefined {
  return items.find((pair) => isScalar(pair.key) && String(pair.key.value) === key);
}

/** A single value is shown where it stands; a whole list or mapping at the key that names it. */
function placeOfPair(pair: Pair): number {
  const value = isScalar(pair.value) || isAlias(pair.value) ? startOf(pair.value) : null;
  return value ?? startOf(pair.key) ?? 0;
}

function startOf(node: unknown): number | null {
  return isNode(node) ? ((node as Node).range?.[0] ?? null) : null;
}

/** `Unrecognized key: "tiemout"` is about the mapping; the key is what a person wants to see. */
function unknownKey(document: Document.Parsed, from: unknown, message: string): number | null {
  const key = /^Unrecognized keys?: "([^"]+)"/.exec(message)?.[1];
  const node = resolved(document, from);
  if (key === undefined || !isMap(node)) return null;
  const pair = pairOf(node.items as Pair[], key);
  return pair ? startOf(pair.key) : null;
}
