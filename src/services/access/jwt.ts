/** JSON Web Tokens signed with our own secret: HS256 and nothing else. */
import { errors, type JWTPayload, jwtVerify } from 'jose';
import { z } from 'zod';
import { ROLES } from '../../schema/names.ts';
import { GRANT_KINDS, type Principal } from '../../schema/principal.ts';
import { FOREIGN_MARK } from './foreign-ids.ts';
import { refused } from './refused.ts';

/** How far clocks may be apart. */
export const CLOCK_SKEW_SECONDS = 30;

export const GrantShape = z.object({
  resource: z
    .string()
    .regex(new RegExp(`^(${GRANT_KINDS.join('|')}):.{1,200}$`), `must be <kind>:<id>, of ${GRANT_KINDS.join(', ')}`),
  access: z.enum(['read', 'write']),
});

const Claims = z.object({
  /** Ids with the mark belong to other authorities. */
  sub: z
    .string()
    .min(1)
    .max(200)
    .refine((sub) => !sub.includes(FOREIGN_MARK)),
  exp: z.number(),
  role: z.enum(ROLES),
  name: z.string().max(200).optional(),
  grants: z.array(GrantShape).max(1000).default([]),
});

/**
 * `sub` becomes the principal's id. Null for a token that our secret did not sign, or that names no role: somebody else
 * may know it. Throws Failure('unauthenticated') for any other that is expired or says too little.
 */
export function createJwtVerifier(
  secret: string | null,
  now: () => number = Date.now,
): (token: string) => Promise<Principal | null> {
  const key = secret === null ? null : new TextEncoder().encode(secret);
  return async (token) => {
    if (key === null) return null;
    const payload = await verifiedPayload(token, key, now());
    // A user service may share our secret and leave the role for itself to tell.
    if (payload === null || payload.role === undefined) return null;
    const claims = Claims.safeParse(payload);
    if (!claims.success) throw refused();
    const { sub, role, name, grants } = claims.data;
    return { id: sub, name: name ?? sub, role, grants, via: 'jwt', keyId: null };
  };
}

async function verifiedPayload(token: string, key: Uint8Array, at: number): Promise<JWTPayload | null> {
  try {
    const verified = await jwtVerify(token, key, {
      // Pinned: a token may not choose `none` or another algorithm.
      algorithms: ['HS256'],
      clockTolerance: CLOCK_SKEW_SECONDS,
      requiredClaims: ['sub', 'exp'],
      currentDate: new Date(at),
    });
    return verified.payload;
  } catch (error) {
    if (error instanceof errors.JWSSignatureVerificationFailed || error instanceof errors.JOSEAlgNotAllowed)
      return null;
    throw refused(error);
  }
}
