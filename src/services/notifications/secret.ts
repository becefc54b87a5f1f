/** The secret that an owner's webhooks are signed with: derived, so that nothing need be stored and it never changes. */
import { createHmac } from 'node:crypto';
import { Failure } from '../../schema/failures.ts';
import { parseKey } from '../../schema/keys.ts';

/** 32 bytes from MASTER_KEY and the owner. Throws Failure('unavailable') where there is no MASTER_KEY. */
export function webhookKey(config: { MASTER_KEY?: string | undefined }, owner: string): Buffer {
  if (!config.MASTER_KEY) throw new Failure('unavailable', 'No MASTER_KEY is set here, so nothing can be signed');
  return createHmac('sha256', parseKey(config.MASTER_KEY)).update(`webhook\u0000${owner}`).digest();
}

/** As Standard Webhooks writes it. */
export function webhookSecret(config: { MASTER_KEY?: string | undefined }, owner: string): string {
  return `whsec_${webhookKey(config, owner).toString('base64')}`;
}
