/** Token introspection (RFC 7662): asks the authorization server whether a token is live, and whose it is. */
import { type IdentityHttp, outage, readObject } from './oauth-http.ts';

/** What a service says of a live token. Nothing in it is checked yet but its form. */
export interface Vouched {
  /** The authority that `subject` belongs to, as an address. */
  authority: string;
  subject: unknown;
  /** Names to show, the best first. */
  names: unknown[];
  /** Words for roles, or lists of them. */
  roles: unknown[];
  /** Milliseconds since the epoch; null when the service does not say. */
  expiresAt: number | null;
  notBefore: number | null;
  /** `aud` as it came; undefined when absent. */
  audience: unknown;
}

/** A service that knows tokens which we do not. */
export interface TokenService {
  /** For the log. */
  name: string;
  /** Null when the token is not valid there; throws Failure('unavailable') when that cannot be told. */
  ask(token: string): Promise<Vouched | null>;
}

/** A scope of this form names a role where nothing else does; never `admin`, which only a role may say. */
const ROLE_SCOPE = /^ostinato:(?!admin$)(\w+)$/;

/**
 * `POST` with `token`, signed in by HTTP basic when a client is configured. The address comes from the settings and may
 * be private. Roles are read from `role` and `roles`; `scope` counts only without them.
 */
export function createIntrospection(options: {
  url: string;
  clientId?: string | undefined;
  clientSecret?: string | undefined;
  http: IdentityHttp;
}): TokenService {
  const { url, clientId, http } = options;
  const { host, origin } = new URL(url);
  const headers: Record<string, string> = { 'content-type': 'application/x-www-form-urlencoded' };
  if (clientId !== undefined) headers.authorization = basicAuthorization(clientId, options.clientSecret ?? '');
  return {
    name: 'INTROSPECTION_URL',
    async ask(token) {
      const body = new URLSearchParams({ token, token_type_hint: 'access_token' }).toString();
      const answer = await http(url, { method: 'POST', headers, body });
      // 401 says that we are refused, not the token (section 2.3).
      if (answer.status !== 200) throw answer.outage();
      const said = readObject(answer, host);
      if (typeof said.active !== 'boolean') throw outage(host, 'does not say whether the token is active');
      if (!said.active) return null;
      const roles = [said.roles, said.role].filter((value) => value !== undefined);
      return {
        authority: typeof said.iss === 'string' && URL.canParse(said.iss) ? said.iss : origin,
        // A client's own token has no user; its id must not meet a user's of the same name.
        subject: said.sub ?? (typeof said.client_id === 'string' ? `client:${said.client_id}` : undefined),
        names: [said.name, said.username, said.email, said.client_id],
        roles: roles.length > 0 ? roles : [rolesOfScope(said.scope)],
        expiresAt: seconds(said.exp),
        notBefore: seconds(said.nbf),
        audience: said.aud,
      };
    },
  };
}

/** RFC 6749, section 2.3.1: both parts form-encoded first. */
function basicAuthorization(clientId: string, secret: string): string {
  const encode = (text: string) => new URLSearchParams({ '': text }).toString().slice(1);
  return `Basic ${Buffer.from(`${encode(clientId)}:${encode(secret)}`).toString('base64')}`;
}

function rolesOfScope(scope: unknown): string[] {
  const words = typeof scope === 'string' ? scope.split(' ') : [];
  return words.flatMap((word) => ROLE_SCOPE.exec(word)?.[1] ?? []);
}

/** Seconds since the epoch as milliseconds; null for anything else. */
export function seconds(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value * 1_000 : null;
}
