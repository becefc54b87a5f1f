/** Stands in for the API and the worker: ready at once, drains on SIGTERM, and writes down what it was told. */
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { watchSupervisor } from '../../../../src/local/parent-watch.ts';
import { loadConfig } from '../../../../src/schema/config.ts';

const name = process.argv.includes('--worker') ? 'worker' : 'api';
const config = loadConfig();
const diary = (line: string) => appendFileSync(join(config.dataDir, 'diary'), `${name} ${line}\n`);

watchSupervisor(() => process.exit(3));
process.on('SIGTERM', () => {
  setTimeout(() => {
    diary('drained');
    process.exit(0);
  }, 200);
});
writeFileSync(
  join(config.dataDir, `${name}.json`),
  JSON.stringify({ database: config.DATABASE_URL, temporal: config.TEMPORAL_ADDRESS, key: config.MASTER_KEY }),
);
diary('started');
console.log(JSON.stringify({ ready: true, name }));
setInterval(() => {}, 60_000);
