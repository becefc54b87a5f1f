/** Which host names requests may carry. */
import { expect, test } from 'vitest';
import { allowedHosts, rejectForeign } from '../../src/mcp/guard.ts';

test('loopback, HOST, ALLOWED_HOSTS and PUBLIC_URL, never the wildcard address', () => {
  const hosts = allowedHosts({ HOST: '0.0.0.0', ALLOWED_HOSTS: ['a.example'], publicUrl: 'https://b.example:444' });
  expect(hosts).toEqual(expect.arrayContaining(['localhost', '127.0.0.1', '[::1]', 'a.example', 'b.example']));
  expect(hosts).not.toContain('0.0.0.0');
  expect(allowedHosts({ HOST: '::1', ALLOWED_HOSTS: [], publicUrl: 'http://[::1]:8080' })).toContain('[::1]');
});

test('a foreign origin is refused although the host is ours', async () => {
  const request = new Request('http://localhost/mcp', {
    headers: { host: 'localhost', origin: 'https://evil.example' },
  });
  expect(rejectForeign(request, ['localhost'])?.status).toBe(403);
});
