/** Which API to talk to, and with which key. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../schema/config.ts';
import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';

export interface Target {
  /** Address without a slash at its end. */
  url: string;
  apiKey: string;
}

/** The file that the first `npm start` leaves the admin key in. */
const KEY_FILE = 'admin-key';
const HOW = 'Give one with --key or OSTINATO_API_KEY, or run this in the folder whose `npm start` made the key.';

/** The address: `--url`, OSTINATO_URL, else what this configuration's own API is reached by. */
export function resolveUrl(config: Config, option: string | undefined): string {
  const given = option ?? config.OSTINATO_URL;
  if (given === undefined) return config.publicUrl;
  if (!URL.canParse(given) || !/^https?:$/.test(new URL(given).protocol)) {
    throw new CliError(EXIT.usage, `--url: not an address: ${given}`, { hint: 'Such as --url http://127.0.0.1:8080' });
  }
  return given.replace(/\/+$/, '');
}

/**
 * The key: `--key`, OSTINATO_API_KEY, API_KEY, else DATA_DIR/admin-key. The file is this machine's own secret: it is
 * never sent to an address that is neither this configuration's nor on loopback.
 */
export function resolveTarget(config: Config, options: { url?: string; key?: string }): Target {
  const url = resolveUrl(config, options.url);
  const apiKey = options.key ?? config.OSTINATO_API_KEY ?? config.API_KEY;
  if (apiKey !== undefined) return { url, apiKey: checked(apiKey) };
  const path = join(config.dataDir, KEY_FILE);
  if (url !== config.publicUrl && !isLoopback(url)) {
    throw new CliError(EXIT.denied, `No API key for ${url}`, { hint: 'Give one with --key or OSTINATO_API_KEY.' });
  }
  return { url, apiKey: checked(readKey(path)) };
}

function readKey(path: string): string {
  try {
    const key = readFileSync(path, 'utf8').trim();
    if (key !== '') return key;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') {
      throw new CliError(EXIT.denied, `No API key: ${path} may not be read by this user`, { hint: HOW, cause: error });
    }
  }
  throw new CliError(EXIT.denied, `No API key: ${path} is not there`, { hint: HOW });
}

function checked(key: string): string {
  if (/^[\x21-\x7e]+$/.test(key)) return key;
  throw new CliError(EXIT.usage, 'The API key holds characters that no key has', { hint: HOW });
}

function isLoopback(url: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(url).hostname);
}
