/** In a container: takes the secrets that are not configured from the data volume, making them once, then runs the program. */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureKeys } from '../src/local/keys.ts';
import { loadConfig, toEnvironment } from '../src/schema/config.ts';

const script = process.argv[2];
if (script === undefined) throw new Error('usage: entrypoint.ts SCRIPT');
process.argv.splice(1, 2, resolve(script));
Object.assign(process.env, toEnvironment(ensureKeys(loadConfig(), (line) => console.error(line))));
await import(pathToFileURL(resolve(script)).href);
