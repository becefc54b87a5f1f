/** Whose queries a caller may read. What somebody asked is more private than what everybody may find. */
import type { Principal } from '../../schema/principal.ts';

/** Admins read everybody's (null); all others their own, whatever content they may see. */
export function queryOwners(principal: Principal): string[] | null {
  return principal.role === 'admin' ? null : [principal.id];
}
