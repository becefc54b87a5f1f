/** `npm start` with stand-ins for the API and the worker. */
import { fileURLToPath } from 'node:url';
import { run } from '../../../../src/local/run.ts';

const script = (name: string) => fileURLToPath(new URL(name, import.meta.url));
process.exitCode = await run(process.argv.slice(2), {
  scripts: { worker: script('./worker.ts'), api: script('./api.ts') },
});
process.exit();
