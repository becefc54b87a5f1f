/** The session cookie and the check that a request which carries it was made by our own page. */
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import type { Config } from '../schema/config.ts';
import { Failure } from '../schema/failures.ts';
import type { ApiContext } from './context.ts';
import { hostHeader } from './hosts.ts';

export type CookieSettings = Pick<Config, 'SERVER_PORT' | 'publicUrl'>;

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Cookies do not tell ports apart: with the port in the name two copies on one machine do not sign each other out. */
export function cookieName(settings: CookieSettings): string {
  return `ostinato_session_${settings.SERVER_PORT}`;
}

export function readSessionCookie(c: ApiContext, settings: CookieSettings): string | undefined {
  return getCookie(c, cookieName(settings));
}

export function writeSessionCookie(c: ApiContext, settings: CookieSettings, token: string, expires: Date): void {
  setCookie(c, cookieName(settings), token, { ...attributes(settings), expires });
}

export function clearSessionCookie(c: ApiContext, settings: CookieSettings): void {
  deleteCookie(c, cookieName(settings), attributes(settings));
}

function attributes(settings: CookieSettings) {
  const secure = settings.publicUrl.startsWith('https:');
  return { httpOnly: true, sameSite: 'Strict', path: '/', secure } as const;
}

/**
 * Throws Failure('forbidden') for a request that changes something under a cookie and does not prove that it comes
 * from our own origin: SameSite alone lets another port of this host through.
 */
export function requireSameOrigin(c: ApiContext): void {
  if (SAFE_METHODS.has(c.req.method)) return;
  const site = c.req.header('sec-fetch-site');
  const origin = c.req.header('origin');
  const bySite = site === undefined || site === 'same-origin';
  const byOrigin = origin === undefined || (URL.canParse(origin) && new URL(origin).host === hostHeader(c));
  if ((site !== undefined || origin !== undefined) && bySite && byOrigin) return;
  throw new Failure('forbidden', 'A request with a session cookie must come from a page of this server');
}
