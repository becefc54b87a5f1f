/** The HTTP headers that a JSON-RPC message needs on its way to an MCP address, in both eras. */
import { PROTOCOL_VERSION_META_KEY } from '@modelcontextprotocol/server';

export interface Message {
  id?: string | number;
  method?: string;
  params?: Record<string, unknown>;
  result?: Record<string, unknown>;
  error?: { code: number; message: string };
}

/** What the 2025 handshake settled; empty before it, and always in the current era. */
export interface Handshake {
  session: string | null;
  version: string | null;
}

/** Which param names the target, by method (SEP-2243, and SEP-2663 for tasks). */
const NAMED_BY: Record<string, string> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
  'tasks/get': 'taskId',
  'tasks/update': 'taskId',
  'tasks/cancel': 'taskId',
};

/** The protocol version a message names for itself, as every one of the current era does; else null. */
export function versionOf(message: Message): string | null {
  const meta = message.params?._meta as Record<string, unknown> | undefined;
  const version = meta?.[PROTOCOL_VERSION_META_KEY];
  return typeof version === 'string' ? version : null;
}

export function headersFor(message: Message, handshake: Handshake): Record<string, string> {
  const version = versionOf(message) ?? handshake.version;
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  };
  if (version !== null) headers['mcp-protocol-version'] = version;
  if (versionOf(message) === null) {
    if (handshake.session !== null) headers['mcp-session-id'] = handshake.session;
    return headers;
  }
  if (message.method !== undefined) headers['mcp-method'] = message.method;
  const name = message.params?.[NAMED_BY[message.method ?? ''] ?? ''];
  if (typeof name === 'string') headers['mcp-name'] = headerValue(name);
  return headers;
}

/** As it is where a header can carry it, else in base64 with the marks of SEP-2243. */
function headerValue(value: string): string {
  const safe = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(value) && !/^=\?base64\?.*\?=$/.test(value);
  return safe ? value : `=?base64?${Buffer.from(value).toString('base64')}?=`;
}
