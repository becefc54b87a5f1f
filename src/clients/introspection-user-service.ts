/** The external user service: verifies a caller's token at `<FLASK_API_URL>/api/auth/verify`. */
import { seconds, type TokenService } from './introspection.ts';
import { type IdentityAnswer, type IdentityHttp, readObject } from './oauth-http.ts';

/**
 * Sends the caller's token on as `Authorization: Bearer …`, by GET, or by POST where GET is answered with 405. The
 * answer is 200 with `{"user": {"id", "name", "email", "roles" | "role", "active"?}}`; `id`, `roles`, `role` and
 * `active` may stand beside `user` or without it, `user` may be the id itself, and `exp` (seconds) ends the token.
 * `"active": false` or `"valid": false`, an answer without a user, and 401 or 403 mean that the token is not valid.
 * Any other status, and what is no JSON object, say nothing about it. The address comes from the settings and may be
 * private.
 */
export function createUserService(options: { url: string; http: IdentityHttp }): TokenService {
  const { http } = options;
  const url = `${options.url.replace(/\/+$/, '')}/api/auth/verify`;
  const { host, origin } = new URL(url);
  let method: 'GET' | 'POST' = 'GET';

  async function verify(token: string): Promise<IdentityAnswer> {
    const headers = { authorization: `Bearer ${token}` };
    const answer = await http(url, { method, headers });
    if (answer.status !== 405 || method === 'POST') return answer;
    const posted = await http(url, { method: 'POST', headers });
    if (posted.status !== 405) method = 'POST';
    return posted;
  }

  return {
    name: 'FLASK_API_URL',
    async ask(token) {
      const answer = await verify(token);
      if (answer.status === 401 || answer.status === 403) return null;
      if (answer.status !== 200) throw answer.outage();
      const said = readObject(answer, host);
      const user = userOf(said);
      if (user === null || [said, user].some((part) => part.active === false || part.valid === false)) return null;
      return {
        authority: origin,
        subject: user.id,
        names: [user.name, user.username, user.email],
        roles: [said.roles, said.role, user.roles, user.role],
        expiresAt: seconds(said.exp),
        notBefore: null,
        audience: undefined,
      };
    },
  };
}

/** The user as an object with an `id`; null when nobody is named. */
function userOf(said: Record<string, unknown>): Record<string, unknown> | null {
  const user = 'user' in said ? said.user : said;
  if (typeof user === 'string' || typeof user === 'number') return { id: user };
  if (typeof user !== 'object' || user === null || Array.isArray(user)) return null;
  const id = (user as { id?: unknown }).id;
  return id === undefined || id === null ? null : (user as Record<string, unknown>);
}
