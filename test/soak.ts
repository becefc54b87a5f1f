/** `npm run soak -- --rounds N [--seed S]`: the crash test for as long as wanted. */
import { parseArgs } from 'node:util';
import { startCampaign } from './support/crash.ts';
import { contents } from './support/truth.ts';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '100' }, seed: { type: 'string', default: String(Date.now() % 1e6) } },
});
const rounds = Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 1) {
  console.error('soak: --rounds takes a whole number from 1');
  process.exit(2);
}
console.log(`seed ${values.seed}`);
const campaign = await startCampaign(Number(values.seed), (line) => console.log(line));
let faults = 0;
try {
  for (let index = 0; index < rounds; index++) {
    const { after, left } = await campaign.round(index);
    const same = JSON.stringify(contents(after)) === JSON.stringify(campaign.undisturbed.contents);
    const clean = left.rows.size + left.vectors.length + left.objects.length + left.links === 0;
    if (same && clean) continue;
    faults += 1;
    console.log(`round ${index + 1}: ${same ? 'something was left behind' : 'the contents differ'}`);
  }
} finally {
  await campaign.stop();
}
console.log(`${rounds - faults} passed, ${faults} failed`);
process.exit(faults === 0 ? 0 : 1);
