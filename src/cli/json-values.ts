/** JSON that comes in options: whole objects, files of them, and single values by name. */
import { InvalidArgumentError } from 'commander';
import type { Json, JsonObject } from '../schema/json.ts';
import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import { faultLine, readObjectFile } from './object-file.ts';

/** What the API takes as a body. */
const MOST_BYTES = 1024 * 1024;

/**
 * An object written out, or `@file` with one as JSON or YAML. Throws CliError (2) that names the option and, in a
 * file, the place.
 */
export async function readObject(text: string, option: string): Promise<JsonObject> {
  if (!text.startsWith('@')) return object(parse(text, option), option);
  return readObjectOf(text.slice(1), option);
}

/** The object in a JSON or YAML file. */
export async function readObjectOf(path: string, option: string): Promise<JsonObject> {
  const { value, faults } = await readObjectFile(path, { mostBytes: MOST_BYTES });
  if (value) return value;
  const [fault] = faults;
  throw new CliError(EXIT.usage, `${option}: ${fault ? faultLine(path, fault) : path}`);
}

function parse(text: string, option: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CliError(EXIT.usage, `${option}: not JSON: ${(error as Error).message}`, {
      hint: `Give an object such as '{"data_source": "s3://bucket/a.csv"}', or @FILE.`,
    });
  }
}

function object(value: unknown, option: string): JsonObject {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw new CliError(EXIT.usage, `${option}: must be an object`);
}

/**
 * Collects `key=value` options into one object of JSON values: what reads as JSON (`1000`, `true`, `["a"]`) is that,
 * all else is text.
 */
export function parseValuePair(text: string, before: JsonObject = {}): JsonObject {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('Must be KEY=VALUE.');
  const written = text.slice(at + 1);
  let value: Json = written;
  try {
    value = JSON.parse(written) as Json;
  } catch {
    // Text as it is.
  }
  return { ...before, [text.slice(0, at)]: value };
}
