/** `npm start`: boots what the configuration leaves to this machine, then the worker and the API, until told to stop. */
import { run } from './run.ts';

process.exitCode = await run(process.argv.slice(2));
process.exit();
