/** `keys.list`: every key, revoked ones too, never the secret. */
import { z } from 'zod';
import { PageQuery, pageOf } from '../../schema/files.ts';
import { decodeCursor, encodeCursor } from '../../services/access/cursors.ts';
import { listKeys } from '../../stores/keys.ts';
import { defineOperation } from '../contract.ts';
import { KeyView, viewKey } from './views.ts';

const Cursor = z.object({ at: z.iso.datetime(), id: z.uuid() });

export const keysList = defineOperation({
  name: 'keys.list',
  summary: 'List API keys, newest first',
  room: 'access',
  permission: 'keys:manage',
  input: z.object(PageQuery),
  output: pageOf(KeyView),
  http: { method: 'get', path: '/api/v1/keys', tag: 'Access' },
  failures: [],
  audited: false,
  async run({ deps }, { limit, cursor }) {
    const after = decodeCursor(Cursor, cursor);
    const rows = await listKeys(deps.db, {
      limit: limit + 1,
      before: after && { created_at: new Date(after.at), key_id: after.id },
    });
    const page = rows.slice(0, limit);
    const last = rows.length > limit ? page.at(-1) : undefined;
    return {
      items: page.map(viewKey),
      next_cursor: last ? encodeCursor({ at: last.created_at.toISOString(), id: last.key_id }) : null,
      truncated: last !== undefined,
    };
  },
});
