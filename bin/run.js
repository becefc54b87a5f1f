#!/usr/bin/env node
/** `node bin/run.js script.ts …`: runs a script of this repository on a fresh machine too. */
import { launch } from './launch.js';

const [script, ...args] = process.argv.slice(2);
if (script === undefined) {
  console.error('usage: node bin/run.js SCRIPT.ts [ARGUMENTS]');
  process.exit(2);
}
await launch(script, args);
