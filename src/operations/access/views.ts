/** Wire shapes of the access room. */
import { z } from 'zod';
import { ROLES } from '../../schema/names.ts';
import { OUTBOUND_KINDS } from '../../schema/outbound.ts';
import { GrantShape } from '../../services/access/jwt.ts';
import type { ShownCredential } from '../../stores/credentials.ts';
import type { ShownKey } from '../../stores/keys.ts';
import { CredentialConfig } from './credential-input.ts';

export const KeyView = z.object({
  key_id: z.uuid(),
  principal_id: z.string(),
  name: z.string(),
  role: z.enum(ROLES),
  grants: z.array(GrantShape),
  prefix: z.string().describe('first characters of the key, to tell it from others'),
  created_by: z.string().nullable(),
  created_at: z.iso.datetime(),
  expires_at: z.iso.datetime().nullable(),
  revoked_at: z.iso.datetime().nullable(),
  last_used_at: z.iso.datetime().nullable(),
});

export function viewKey(row: ShownKey): z.output<typeof KeyView> {
  return {
    key_id: row.key_id,
    principal_id: row.principal_id,
    name: row.name,
    role: row.role,
    grants: row.grants,
    prefix: row.prefix,
    created_by: row.created_by,
    created_at: row.created_at.toISOString(),
    expires_at: row.expires_at?.toISOString() ?? null,
    revoked_at: row.revoked_at?.toISOString() ?? null,
    last_used_at: row.last_used_at?.toISOString() ?? null,
  };
}

export const CredentialView = z.object({
  credential_id: z.uuid(),
  owner: z.string(),
  name: z.string(),
  kind: z.enum(OUTBOUND_KINDS),
  config: CredentialConfig.describe('what of it is no secret'),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
});

export function viewCredential(row: ShownCredential): z.output<typeof CredentialView> {
  return { ...row, created_at: row.created_at.toISOString(), updated_at: row.updated_at.toISOString() };
}
