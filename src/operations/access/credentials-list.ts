/** `credentials.list`: what is stored for outgoing calls, never the secrets. */
import { z } from 'zod';
import { visibleOwners } from '../../schema/access.ts';
import { PageQuery, pageOf } from '../../schema/files.ts';
import { decodeCursor, encodeCursor } from '../../services/access/cursors.ts';
import { listCredentials } from '../../stores/credentials.ts';
import { defineOperation } from '../contract.ts';
import { CredentialView, viewCredential } from './views.ts';

const Cursor = z.object({ at: z.iso.datetime(), id: z.uuid() });

export const credentialsList = defineOperation({
  name: 'credentials.list',
  summary: 'List credentials for outgoing calls, newest first',
  room: 'access',
  permission: 'credentials:manage',
  input: z.object(PageQuery),
  output: pageOf(CredentialView),
  http: { method: 'get', path: '/api/v1/credentials', tag: 'Access' },
  failures: [],
  audited: false,
  async run({ deps, principal }, { limit, cursor }) {
    const after = decodeCursor(Cursor, cursor);
    const rows = await listCredentials(deps.db, {
      owners: visibleOwners(principal),
      limit: limit + 1,
      before: after && { created_at: new Date(after.at), credential_id: after.id },
    });
    const page = rows.slice(0, limit);
    const last = rows.length > limit ? page.at(-1) : undefined;
    return {
      items: page.map(viewCredential),
      next_cursor: last ? encodeCursor({ at: last.created_at.toISOString(), id: last.credential_id }) : null,
      truncated: last !== undefined,
    };
  },
});
