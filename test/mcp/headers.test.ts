/** Headers of messages, and the reading of event streams. */
import { expect, test } from 'vitest';
import { headersFor } from '../../src/mcp/headers.ts';
import { eventData } from '../../src/mcp/sse.ts';

const meta = { _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' } };
const settled = { session: 's-1', version: '2025-11-25' };

test('the current era names version, method and target, and no session', () => {
  expect(headersFor({ id: 1, method: 'tools/call', params: { name: 'a', ...meta } }, settled)).toMatchObject({
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': 'tools/call',
    'mcp-name': 'a',
  });
  expect(headersFor({ id: 1, method: 'tools/list', params: meta }, settled)).not.toHaveProperty('mcp-session-id');
});

test('2025 carries what the handshake settled', () => {
  const headers = headersFor({ id: 1, method: 'tools/call', params: { name: 'a' } }, settled);
  expect(headers).toMatchObject({ 'mcp-session-id': 's-1', 'mcp-protocol-version': '2025-11-25' });
  expect(headers).not.toHaveProperty('mcp-name');
});

test.each([
  ['Käse', '=?base64?S8Okc2U=?='],
  [' padded ', '=?base64?IHBhZGRlZCA=?='],
  ['line\nbreak', '=?base64?bGluZQpicmVhaw==?='],
  ['=?base64?x?=', '=?base64?PT9iYXNlNjQ/eD89?='],
  ['a b', 'a b'],
])('a name that no header can carry goes in base64: %j', (uri, expected) => {
  const headers = headersFor({ id: 1, method: 'resources/read', params: { uri, ...meta } }, settled);
  expect(headers['mcp-name']).toBe(expected);
});

test('events are put together whatever the chunks', async () => {
  const bytes = new TextEncoder().encode(
    ': hi\n\nevent: message\ndata: {"a":"ü"}\n\nid: 1\ndata: 1\r\ndata: 2\r\n\r\ndata: lost',
  );
  for (const size of [1, 2, 3, 7, 1_000]) {
    const chunks = async function* () {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    };
    const seen: string[] = [];
    for await (const data of eventData(chunks())) seen.push(data);
    expect(seen).toEqual(['{"a":"ü"}', '1\n2']);
  }
});
