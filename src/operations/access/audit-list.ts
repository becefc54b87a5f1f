/** `audit.list`: what was changed, by whom, from where, and who failed to get in. */
import { z } from 'zod';
import { FAILURES, type FailureCode } from '../../schema/failures.ts';
import { PageQuery, pageOf } from '../../schema/files.ts';
import { decodeCursor, encodeCursor } from '../../services/access/cursors.ts';
import { listAudit } from '../../stores/audit.ts';
import { defineOperation } from '../contract.ts';

const Cursor = z.object({ before: z.string().regex(/^\d{1,18}$/) });

const OUTCOMES = ['ok', 'failed', ...(Object.keys(FAILURES) as FailureCode[])] as const;

const AuditView = z.object({
  audit_id: z.string(),
  at: z.iso.datetime(),
  principal_id: z.string().nullable(),
  role: z.string().nullable(),
  key_id: z.string().nullable(),
  operation: z.string(),
  resource: z.string().nullable(),
  outcome: z.string().describe('ok, or the code of the failure'),
  request_id: z.string().nullable(),
  address: z.string().nullable(),
});

export const auditList = defineOperation({
  name: 'audit.list',
  summary: 'List the audit log, newest first',
  room: 'access',
  permission: 'audit:read',
  input: z.object({
    ...PageQuery,
    principal_id: z.string().max(1_000).optional().describe('whose calls'),
    operation: z.string().max(200).optional().describe('such as keys.create, or authenticate'),
    resource: z.string().max(1_000).optional().describe('<kind>:<id>, such as key:<key_id>'),
    outcome: z.enum(OUTCOMES).optional().describe('ok, the code of a failure, or failed for all of them'),
    from: z.iso.datetime({ offset: true }).optional().describe('at this time or later'),
    to: z.iso.datetime({ offset: true }).optional().describe('before this time'),
  }),
  output: pageOf(AuditView),
  http: { method: 'get', path: '/api/v1/audit', tag: 'Access' },
  failures: [],
  audited: false,
  async run({ deps }, { limit, cursor, from, to, ...filter }) {
    const before = decodeCursor(Cursor, cursor)?.before;
    const rows = await listAudit(deps.db, {
      ...filter,
      from: from === undefined ? undefined : new Date(from),
      to: to === undefined ? undefined : new Date(to),
      before,
      limit: limit + 1,
    });
    const page = rows.slice(0, limit);
    const last = rows.length > limit ? page.at(-1) : undefined;
    return {
      items: page.map((row) => ({ ...row, at: row.at.toISOString() })),
      next_cursor: last ? encodeCursor({ before: last.audit_id }) : null,
      truncated: last !== undefined,
    };
  },
});
