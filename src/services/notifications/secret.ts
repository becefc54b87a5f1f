/** The secret that an owner's webhooks are signed with: derived, so that nothing need be stored. */
import { createHmac } from 'node:crypto';
import { Failure } from '../../schema/failures.ts';
import { parseKey } from '../../schema/keys.ts';

interface MasterKeys {
  MASTER_KEY?: string | undefined;
  MASTER_KEY_PREVIOUS?: string | undefined;
}

/**
 * 32 bytes each from MASTER_KEY, and from the one before it while that is set, and the owner: receivers that do not know
 * the new secret yet find a signature they can check. Throws Failure('unavailable') where there is no MASTER_KEY.
 */
export function webhookKeys(config: MasterKeys, owner: string): Buffer[] {
  if (!config.MASTER_KEY) throw new Failure('unavailable', 'No MASTER_KEY is set here, so nothing can be signed');
  const masters = [config.MASTER_KEY, ...(config.MASTER_KEY_PREVIOUS ? [config.MASTER_KEY_PREVIOUS] : [])];
  return masters.map((master) => createHmac('sha256', parseKey(master)).update(`webhook\u0000${owner}`).digest());
}

/** That of MASTER_KEY, as Standard Webhooks writes it. */
export function webhookSecret(config: MasterKeys, owner: string): string {
  return `whsec_${webhookKeys(config, owner)[0]?.toString('base64')}`;
}
