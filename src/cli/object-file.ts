/** Objects in YAML or JSON files, read under limits, with a way back from each field to its place in the file. */
import { open } from 'node:fs/promises';
import { extname } from 'node:path';
import { type Document, isAlias, isScalar, LineCounter, parseAllDocuments, visit } from 'yaml';
import type { Fault } from '../schema/failures.ts';
import type { JsonObject } from '../schema/json.ts';
import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import { placeOf } from './file-places.ts';

/** Aliases save typing; hundreds of them are an attempt to make a small file huge. */
const MOST_ALIASES = 100;
/** What follows the first faults of a file mostly follows from them. */
const MOST_FAULTS = 20;

export interface FileLimits {
  /** Of the file, and of its value as JSON once aliases are written out. */
  mostBytes: number;
  /** Names of its fields, for the one who gave something else. */
  holds?: string;
  /** What to do about a file that is too large. */
  hint?: string;
}

/** Something wrong, with its place; both count from 1. */
export interface PlacedFault extends Fault {
  line: number;
  column: number;
}

export interface ObjectFile {
  /** As it was given. */
  path: string;
  /** Null where `faults` say why. */
  value: JsonObject | null;
  faults: PlacedFault[];
  /** Puts faults that name fields (`stages.2.timeout`) at their places in the file. */
  place(faults: readonly Fault[]): PlacedFault[];
}

/** Throws CliError (2): no such file, too large, not text. What is wrong inside it stands in `faults`. */
export async function readObjectFile(path: string, limits: FileLimits): Promise<ObjectFile> {
  const text = decode(await readBounded(path, limits), path);
  return parseObjectFile(text, path, limits);
}

/** `stages.2.timeout: must be …` behind its place in the file, as editors and terminals make a link of it. */
export function faultLine(path: string, fault: PlacedFault): string {
  const field = fault.path === '' ? '' : `${fault.path}: `;
  return `${path}:${fault.line}:${fault.column}: ${field}${fault.message}`;
}

export function parseObjectFile(text: string, path: string, limits: FileLimits): ObjectFile {
  const lines = new LineCounter();
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const broken = (faults: [offset: number, message: string][]): ObjectFile => ({
    path,
    value: null,
    faults: faults.map(([offset, message]) => ({ path: '', message, ...at(offset) })),
    place: (named) => named.map((fault) => ({ ...fault, line: 1, column: 1 })),
  });
  const isJson = extname(path).toLowerCase() === '.json';
  const documents = readDocuments(isJson ? text.replaceAll('\t', ' ') : text, lines);
  if (documents === null) return broken([[0, 'nested too deep']]);
  if (isJson) {
    const fault = jsonFault(text);
    if (fault) return broken([fault]);
  }
  const [document, another] = documents;
  // The parser notes where its stack ended among the faults, and then what it misses there.
  if (document?.errors.some(({ message }) => /call stack|stack overflow/i.test(message))) {
    return broken([[0, 'nested too deep']]);
  }
  if (!document) return broken([[0, 'the file is empty']]);
  if (another) return broken([[another.range[0], 'a second document begins here: one a file']]);
  const faults = [...document.errors, ...document.warnings].map((error): [number, string] => [
    error.pos[0],
    syntaxMessage(error),
  ]);
  if (faults.length === 0) faults.push(...contentFaults(document));
  if (faults.length > 0) return broken(faults.slice(0, MOST_FAULTS));
  const value: unknown = document.toJS({ maxAliasCount: MOST_ALIASES });
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return broken([
      [document.contents?.range?.[0] ?? 0, `must be a mapping${limits.holds === undefined ? '' : `: ${limits.holds}`}`],
    ]);
  }
  if (Buffer.byteLength(JSON.stringify(value)) > limits.mostBytes) {
    return broken([[0, `over ${limits.mostBytes / 1024} KiB with its aliases written out`]]);
  }
  return {
    path,
    value: value as JsonObject,
    faults: [],
    place: (named) =>
      named
        .map((fault) => ({ ...fault, ...at(placeOf(document, fault)) }))
        .sort((a, b) => a.line - b.line || a.column - b.column),
  };
}

type Parsed = Document.Parsed;

/** Null when it is nested deeper than the parser can follow. */
function readDocuments(text: string, lineCounter: LineCounter): Parsed[] | null {
  try {
    const documents = parseAllDocuments(text, {
      lineCounter,
      prettyErrors: false,
      version: '1.2',
      // `<<: *defaults` is what anchors are mostly for.
      merge: true,
      resolveKnownTags: false,
      maxAliasCount: MOST_ALIASES,
    } as Parameters<typeof parseAllDocuments>[1]);
    return Array.isArray(documents) ? (documents as Parsed[]) : [];
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

const SYNTAX: Record<string, string> = {
  DUPLICATE_KEY: 'this key stands twice in its mapping',
  TAB_AS_INDENT: 'tabs cannot indent YAML: use spaces',
  TAG_RESOLVE_FAILED: 'tags (!…) are not taken here',
};

function syntaxMessage({ code, message }: { code: string; message: string }): string {
  return SYNTAX[code] ?? message.charAt(0).toLowerCase() + message.slice(1);
}

/** What YAML lets through and JSON has no form for: odd keys, numbers without an end, aliases in circles. */
function contentFaults(document: Parsed): [offset: number, message: string][] {
  const faults: [number, string][] = [];
  let aliases = 0;
  visit(document, {
    Pair(_key, pair) {
      const key = pair.key as { range?: [number, number, number] | null } | null;
      if (!isAlias(key) && isScalar(key) && key.value !== null && typeof key.value !== 'object') return;
      // The mark of a merge is a key of its own kind.
      if (isScalar(key) && (key as { source?: string }).source === '<<') return;
      faults.push([key?.range?.[0] ?? 0, 'a key must be text']);
    },
    Scalar(_key, node) {
      if (typeof node.value === 'number' && !Number.isFinite(node.value)) {
        faults.push([node.range?.[0] ?? 0, 'a number must be finite']);
      }
    },
    Alias(_key, node, ancestors) {
      const place = node.range?.[0] ?? 0;
      const target = node.resolve(document);
      if (!target) faults.push([place, `no anchor &${node.source} stands before this alias`]);
      else if (ancestors.includes(target)) faults.push([place, `*${node.source} stands inside what it stands for`]);
      if (++aliases === MOST_ALIASES + 1) faults.push([place, `more than ${MOST_ALIASES} aliases`]);
    },
  });
  if (faults.length > 0) return faults;
  try {
    document.toJS({ maxAliasCount: MOST_ALIASES });
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    faults.push([0, `aliases of aliases: written out they are more than ${MOST_ALIASES} times as much`]);
  }
  return faults;
}

/** JSON by its own rules; where it breaks, as far as the message of the engine tells. */
function jsonFault(text: string): [offset: number, message: string] | null {
  try {
    JSON.parse(text.replace(/^\uFEFF/, ''));
    return null;
  } catch (error) {
    const { message } = error as Error;
    const offset = Number(/at position (\d+)/.exec(message)?.[1] ?? text.length);
    return [
      Math.min(offset, Math.max(0, text.length - 1)),
      `not JSON: ${message.replace(/ (?:in JSON )?at position .*$/s, '')}`,
    ];
  }
}

async function readBounded(path: string, { mostBytes, hint }: FileLimits): Promise<Buffer> {
  const file = await open(path).catch((error: NodeJS.ErrnoException) => {
    throw new CliError(EXIT.usage, `${path}: ${error.code === 'ENOENT' ? 'no such file' : error.message}`);
  });
  try {
    const chunks: Buffer[] = [];
    let size = 0;
    // A pipe has no size, so the bytes are counted as they come.
    for await (const chunk of file.createReadStream({ autoClose: false })) {
      size += (chunk as Buffer).length;
      if (size > mostBytes) {
        throw new CliError(EXIT.usage, `${path}: over ${mostBytes / 1024} KiB`, hint === undefined ? {} : { hint });
      }
      chunks.push(chunk as Buffer);
    }
    return Buffer.concat(chunks);
  } catch (error) {
    if (error instanceof CliError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    throw new CliError(EXIT.usage, `${path}: ${code === 'EISDIR' ? 'is a folder' : message}`);
  } finally {
    await file.close();
  }
}

function decode(bytes: Buffer, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new CliError(EXIT.usage, `${path}: is not UTF-8 text`);
  }
}
