/** `keys.create`: a new API key, shown this once. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { covers } from '../../schema/access.ts';
import { Failure } from '../../schema/failures.ts';
import { ROLES } from '../../schema/names.ts';
import { GrantShape } from '../../services/access/jwt.ts';
import { newApiKey } from '../../services/access/secrets.ts';
import { insertKey } from '../../stores/keys.ts';
import { defineOperation } from '../contract.ts';
import { invalidInput } from './invalid-input.ts';
import { KeyView, viewKey } from './views.ts';

export const keysCreate = defineOperation({
  name: 'keys.create',
  summary: 'Create an API key; the answer is the only time it is shown',
  room: 'access',
  permission: 'keys:manage',
  input: z.object({
    name: z.string().trim().min(1).max(200),
    role: z.enum(ROLES),
    principal_id: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._:@-]{0,199}$/)
      .optional()
      .describe('whom the key stands for; keys of one principal share what they own. Its own id when absent'),
    grants: z.array(GrantShape).max(1000).default([]).describe('single resources of others that it may reach'),
    expires_at: z.iso.datetime({ offset: true }).optional(),
  }),
  output: KeyView.extend({ key: z.string().describe('the key itself; it cannot be shown again') }),
  http: { method: 'post', path: '/api/v1/keys', status: 201, tag: 'Access' },
  failures: [],
  audited: true,
  async run({ deps, principal }, input) {
    if (input.role === 'agent') {
      throw invalidInput('role', 'an agent gets its token when it is registered, and a new one from its token route');
    }
    if (!covers(principal.role, input.role)) {
      throw new Failure('forbidden', `A key of role ${principal.role} cannot make one of role ${input.role}`);
    }
    const expires = input.expires_at === undefined ? null : new Date(input.expires_at);
    if (expires !== null && expires.getTime() <= Date.now()) {
      throw invalidInput('expires_at', 'lies in the past');
    }
    const { key, hash, prefix } = newApiKey();
    const keyId = randomUUID();
    const row = await insertKey(deps.db, {
      key_id: keyId,
      principal_id: input.principal_id ?? keyId,
      name: input.name,
      role: input.role,
      grants: input.grants,
      prefix,
      hash,
      created_by: principal.id,
      expires_at: expires,
    });
    return { ...viewKey(row), key };
  },
});
