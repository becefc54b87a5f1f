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

test('bound to every interface, addresses written as numbers are ours, names are not', () => {
  const hosts = allowedHosts({ HOST: '0.0.0.0', ALLOWED_HOSTS: [], publicUrl: 'http://127.0.0.1:8080' });
  const status = (headers: Record<string, string>) =>
    rejectForeign(new Request('http://localhost/mcp', { headers }), hosts)?.status;
  expect(status({ host: '192.0.2.7:8080' })).toBeUndefined();
  expect(status({ host: '[2001:db8::1]:8080', origin: 'http://[2001:db8::1]:8080' })).toBeUndefined();
  expect(status({ host: 'evil.example' })).toBe(403);
  expect(status({ host: '192.0.2.7:8080', origin: 'https://evil.example' })).toBe(403);
  expect(status({ host: '*' })).toBe(403);
  const loopback = allowedHosts({ HOST: '127.0.0.1', ALLOWED_HOSTS: [], publicUrl: 'http://127.0.0.1:8080' });
  const request = new Request('http://localhost/mcp', { headers: { host: '192.0.2.7:8080' } });
  expect(rejectForeign(request, loopback)?.status).toBe(403);
});
