/** Host names as they come in headers. */
import { describe, expect, it } from 'vitest';
import { bareHost, isLoopbackName } from '../../src/schema/host-names.ts';

describe('bareHost', () => {
  it.each([
    ['Example.ORG:8080', 'example.org'],
    ['[::1]:8080', '::1'],
    ['::1', '::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['localhost.', 'localhost'],
    ['127.0.0.1', '127.0.0.1'],
    ['a:b', 'a:b'],
  ])('%s is %s', (given, bare) => {
    expect(bareHost(given)).toBe(bare);
  });
});

describe('isLoopbackName', () => {
  it.each([
    ['localhost', true],
    ['127.9.9.9', true],
    ['::1', true],
    ['127.0.0.1.nip.io', false],
    ['127.evil', false],
    ['0.0.0.0', false],
  ])('%s: %s', (host, is) => {
    expect(isLoopbackName(host)).toBe(is);
  });
});
