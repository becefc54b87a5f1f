/** Who makes the request being handled, carried through the SDK beside each message. */
import type { AuthInfo, ServerContext } from '@modelcontextprotocol/server';
import type { Principal } from '../schema/principal.ts';
import type { RequestExtras } from './contract.ts';

export interface Caller extends RequestExtras {
  principal: Principal;
  /** Rooms asked for by the address, sorted; null means the default list. */
  rooms: string[] | null;
  idempotencyKey: string | null;
  /** Correlates the requests of one 2025 client; null in the current era. */
  session: string | null;
}

const KEY = 'ostinato/caller';

/** The SDK passes this through to every handler untouched; the token itself never enters. */
export function toAuthInfo(caller: Caller): AuthInfo {
  return { token: '', clientId: caller.principal.id, scopes: [], extra: { [KEY]: caller } };
}

export function callerOf(source: AuthInfo | ServerContext | undefined): Caller {
  const auth = source && 'mcpReq' in source ? source.http?.authInfo : source;
  const caller = auth?.extra?.[KEY];
  if (!caller) throw new Error('a message without a caller');
  return caller as Caller;
}
