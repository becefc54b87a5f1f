/** Who may read metrics without being a caller: this machine, and whoever has METRICS_TOKEN. */
import { bareHost, isLoopbackName } from '../schema/host-names.ts';
import { sameSecret } from './access/secrets.ts';

const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'via'];

export interface MetricsRequest {
  /** Address at the other end; null when nobody can tell. */
  peer: string | null;
  /** `Host`, as it was sent. */
  host: string;
  header(name: string): string | undefined;
}

/** By METRICS_TOKEN as bearer token, or as a peer on loopback that named loopback. */
export function mayReadMetrics(request: MetricsRequest, token: string | undefined): boolean {
  return isLocal(request) || hasToken(request, token);
}

/** A proxy on this machine is a loopback peer too, hence the headers. */
function isLocal({ peer, host, header }: MetricsRequest): boolean {
  return (
    peer !== null &&
    isLoopbackName(peer) &&
    isLoopbackName(bareHost(host)) &&
    FORWARDED.every((name) => header(name) === undefined)
  );
}

function hasToken({ header }: MetricsRequest, token: string | undefined): boolean {
  const given = /^Bearer +(.+)$/i.exec(header('authorization') ?? '')?.[1];
  return token !== undefined && given !== undefined && sameSecret(given, token);
}
