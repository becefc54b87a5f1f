/** A process that writes rows in tens until it is killed, and prints how many tens are surely written. */
import { openLance } from '../../../src/stores/vectors/lance.ts';
import { DIMENSIONS, row } from '../../stores/vectors/rows.ts';

const [folder = '', from = '0'] = process.argv.slice(2);
const index = await openLance({ folder, dimensions: DIMENSIONS, writable: true });
for (let ten = Number(from); ; ten += 1) {
  await index.upsert(Array.from({ length: 10 }, (_, at) => row('kill', ten * 10 + at)));
  process.stdout.write(`${ten + 1}\n`);
}
