/** Hosts as `Host` headers and sockets name them. */
import { isIP } from 'node:net';

export function isLoopbackName(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** Without port and brackets, in lower case. */
export function bareHost(host: string): string {
  const lower = host.trim().toLowerCase();
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(lower);
  if (bracketed) return bracketed[1] ?? '';
  if (isIP(lower) === 6) return lower;
  return lower.replace(/:\d*$/, '').replace(/\.$/, '');
}
