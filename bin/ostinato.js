#!/usr/bin/env node
/** The `ostinato` command. */
import { launch } from './launch.js';

await launch('src/cli/main.ts', process.argv.slice(2));
