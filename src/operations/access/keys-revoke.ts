/** `keys.revoke`: ends a key and every session made with it. */
import { z } from 'zod';
import { Failure } from '../../schema/failures.ts';
import { revokeKey } from '../../stores/keys.ts';
import { defineOperation } from '../contract.ts';
import { KeyView, viewKey } from './views.ts';

export const keysRevoke = defineOperation({
  name: 'keys.revoke',
  summary: 'Revoke an API key; it and its sessions stop working within 2 seconds everywhere',
  room: 'access',
  permission: 'keys:manage',
  input: z.object({ key_id: z.uuid() }),
  output: KeyView,
  http: { method: 'delete', path: '/api/v1/keys/{key_id}', tag: 'Access' },
  failures: ['not_found'],
  audited: true,
  async run({ deps }, { key_id }) {
    const row = await revokeKey(deps.db, key_id);
    if (!row) throw new Failure('not_found', `No key ${key_id}`);
    return viewKey(row);
  },
});
