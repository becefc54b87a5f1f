/** JSON Web Tokens signed with our own secret: HS256 and nothing else. */
import { jwtVerify } from 'jose';
import { z } from 'zod';
import { ROLES } from '../../schema/names.ts';
import { GRANT_KINDS, type Principal } from '../../schema/principal.ts';
import { refused } from './refused.ts';

const CLOCK_SKEW_SECONDS = 30;

export const GrantShape = z.object({
  resource: z
    .string()
    .regex(new RegExp(`^(${GRANT_KINDS.join('|')}):.{1,200}$`), `must be <kind>:<id>, of ${GRANT_KINDS.join(', ')}`),
  access: z.enum(['read', 'write']),
});

const Claims = z.object({
  sub: z.string().min(1).max(200),
  exp: z.number(),
  role: z.enum(ROLES),
  name: z.string().max(200).optional(),
  grants: z.array(GrantShape).max(1000).default([]),
});

/** `sub` becomes the principal's id. Without a secret every token is refused. */
export function createJwtVerifier(
  secret: string | null,
  now: () => number = Date.now,
): (token: string) => Promise<Principal> {
  const key = secret === null ? null : new TextEncoder().encode(secret);
  return async (token) => {
    if (key === null) throw refused();
    const verified = await jwtVerify(token, key, {
      // Pinned: a token may not choose `none` or another algorithm.
      algorithms: ['HS256'],
      clockTolerance: CLOCK_SKEW_SECONDS,
      requiredClaims: ['sub', 'exp'],
      currentDate: new Date(now()),
    }).catch((cause: unknown) => {
      throw refused(cause);
    });
    const claims = Claims.safeParse(verified.payload);
    if (!claims.success) throw refused();
    const { sub, role, name, grants } = claims.data;
    return { id: sub, name: name ?? sub, role, grants, via: 'jwt', keyId: null };
  };
}
