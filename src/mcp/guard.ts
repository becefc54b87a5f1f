/** Keeps pages of other sites from talking to a server on this machine (DNS rebinding): Host and Origin are checked. */
import {
  hostHeaderValidationResponse,
  localhostAllowedHostnames,
  originValidationResponse,
} from '@modelcontextprotocol/server';
import type { Config } from '../schema/config.ts';

/** Host names that requests may carry: loopback, HOST, ALLOWED_HOSTS and that of PUBLIC_URL. */
export function allowedHosts(config: Pick<Config, 'HOST' | 'ALLOWED_HOSTS' | 'publicUrl'>): string[] {
  const bracketed = config.HOST.includes(':') ? `[${config.HOST}]` : config.HOST;
  const own = ['0.0.0.0', '[::]'].includes(bracketed) ? [] : [bracketed];
  return [
    ...new Set([...localhostAllowedHostnames(), ...own, ...config.ALLOWED_HOSTS, new URL(config.publicUrl).hostname]),
  ];
}

/** A 403 for a foreign Host or Origin, else undefined. No Origin is fine: only browsers send one. */
export function rejectForeign(request: Request, hosts: string[]): Response | undefined {
  return hostHeaderValidationResponse(request, hosts) ?? originValidationResponse(request, hosts);
}
