/** `whoami`: as whom the caller is known here. */
import { z } from 'zod';
import { PERMISSIONS, permissionsOf } from '../../schema/access.ts';
import { ROLES } from '../../schema/names.ts';
import { CREDENTIALS } from '../../schema/principal.ts';
import { GrantShape } from '../../services/access/jwt.ts';
import { defineOperation } from '../contract.ts';

export const whoami = defineOperation({
  name: 'whoami',
  summary: 'Tell who the caller is and what it may do',
  room: 'system',
  // Every role has it: whoever got in may ask who they are.
  permission: 'self:read',
  input: z.object({}),
  output: z.object({
    id: z.string(),
    name: z.string(),
    role: z.enum(ROLES),
    grants: z.array(GrantShape),
    via: z.enum(CREDENTIALS),
    permissions: z.array(z.enum(PERMISSIONS)),
  }),
  http: { method: 'get', path: '/api/v1/whoami', tag: 'System' },
  failures: [],
  audited: false,
  async run({ principal }) {
    const { id, name, role, grants, via } = principal;
    return { id, name, role, grants, via, permissions: [...permissionsOf(role)] };
  },
});
