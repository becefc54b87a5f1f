/** Exchanges a key for a session cookie, for pages in a browser. */
import type { Hono } from 'hono';
import { Failure } from '../schema/failures.ts';
import { hashSecret, newSessionToken } from '../services/access/secrets.ts';
import { writeAudit } from '../stores/audit.ts';
import type { Db } from '../stores/database.ts';
import { deleteSession, insertSession } from '../stores/sessions.ts';
import { type ApiContext, type ApiEnv, peerAddress } from './context.ts';
import { type CookieSettings, clearSessionCookie, readSessionCookie, writeSessionCookie } from './cookies.ts';
import { problem } from './problems.ts';

const SESSION_MS = 12 * 3_600_000;

/** `POST` with a key in a header begins a session of 12 hours; `DELETE` ends it. The cookie lives as long as its key at most. */
export function mountSessions(app: Hono<ApiEnv>, options: { db: Db; cookies: CookieSettings }): void {
  const { db, cookies } = options;
  app.post('/api/v1/session', async (c) => {
    const principal = c.get('principal');
    if (principal.keyId === null || principal.via !== 'api_key') {
      return problem(c, new Failure('forbidden', 'A session is begun with an API key'));
    }
    const { token, hash } = newSessionToken();
    const expires = new Date(Date.now() + SESSION_MS);
    await insertSession(db, { hash, key_id: principal.keyId, expires_at: expires });
    await audit(c, db, 'session.begin');
    writeSessionCookie(c, cookies, token, expires);
    return c.json({ id: principal.id, role: principal.role, expires_at: expires.toISOString() }, 201);
  });
  app.delete('/api/v1/session', async (c) => {
    const token = readSessionCookie(c, cookies);
    if (token) await deleteSession(db, hashSecret(token));
    await audit(c, db, 'session.end');
    clearSessionCookie(c, cookies);
    return c.body(null, 204);
  });
}

async function audit(c: ApiContext, db: Db, operation: string): Promise<void> {
  const { id, role, keyId } = c.get('principal');
  await writeAudit(db, {
    principal_id: id,
    role,
    key_id: keyId,
    operation,
    resource: null,
    outcome: 'ok',
    request_id: c.get('requestId'),
    address: peerAddress(c),
  });
}
