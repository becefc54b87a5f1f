/** The `ostinato` command: hands this process to one run. */
import { processIo } from './process-io.ts';
import { run } from './run.ts';

const io = processIo();
io.exit(await run(process.argv.slice(2), io));
