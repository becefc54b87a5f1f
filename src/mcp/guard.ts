/** Keeps pages of other sites from talking to a server on this machine (DNS rebinding): Host and Origin are checked. */
import { isIP } from 'node:net';
import {
  hostHeaderValidationResponse,
  localhostAllowedHostnames,
  originValidationResponse,
} from '@modelcontextprotocol/server';
import type { Config } from '../schema/config.ts';

/** Stands for every address written as a number. Rebinding needs a name, so these are safe to answer to. */
const ANY_ADDRESS = '*';

/**
 * Host names that requests may carry: loopback, HOST, ALLOWED_HOSTS and that of PUBLIC_URL. Bound to every
 * interface, any address written as a number as well.
 */
export function allowedHosts(config: Pick<Config, 'HOST' | 'ALLOWED_HOSTS' | 'publicUrl'>): string[] {
  const own = config.HOST === '0.0.0.0' || config.HOST === '::' ? ANY_ADDRESS : bracketed(config.HOST);
  const named = config.ALLOWED_HOSTS.map(bracketed);
  return [...new Set([...localhostAllowedHostnames(), own, ...named, new URL(config.publicUrl).hostname])];
}

/** A 403 for a foreign Host or Origin, else undefined. No Origin is fine: only browsers send one. */
export function rejectForeign(request: Request, hosts: string[]): Response | undefined {
  const { headers } = request;
  const allowed = hosts.includes(ANY_ADDRESS)
    ? [
        ...hosts.filter((host) => host !== ANY_ADDRESS),
        ...[nameIn(`http://${headers.get('host')}`), nameIn(headers.get('origin') ?? '')].filter(isAddress),
      ]
    : hosts;
  return hostHeaderValidationResponse(request, allowed) ?? originValidationResponse(request, allowed);
}

function nameIn(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname : '';
}

function isAddress(name: string): boolean {
  return isIP(name.replace(/^\[|\]$/g, '')) !== 0;
}

function bracketed(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host;
}
