/** Which limit each operation of the house counts against. */
import { describe, expect, it } from 'vitest';
import { operations } from '../../../src/operations/index.ts';
import { countCall, rateClassOf, retryDelayMs } from '../../../src/services/limits/rates.ts';
import { openRateLimits } from '../../../src/stores/rate-limits.ts';
import { sharedStore } from './shared-store.ts';

const of = (name: string, role: 'admin' | 'agent' = 'admin') => {
  const operation = operations.find((one) => one.name === name);
  if (!operation) throw new Error(`there is no ${name}`);
  return rateClassOf(operation, { role });
};

describe('the class of a call', () => {
  it('follows what the operation does', () => {
    expect(of('files.list')).toBe('read');
    expect(of('limits.get')).toBe('read');
    expect(of('files.upload')).toBe('write');
    expect(of('files.delete')).toBe('write');
    expect(of('query.run')).toBe('search');
  });

  it('is read for every GET and for nothing that changes something', () => {
    for (const operation of operations) {
      const kind = rateClassOf(operation, { role: 'admin' });
      if (operation.rate || kind === 'agent') continue;
      const looks = operation.http?.method === 'get' || operation.mcp?.readOnly === true;
      expect([operation.name, kind]).toEqual([operation.name, looks ? 'read' : 'write']);
    }
  });

  it('is agent for what only agents do, and for all that an agent does', () => {
    const own = operations.filter(({ permission }) => permission === 'agents:work');
    for (const { name } of own) expect([name, of(name)]).toEqual([name, 'agent']);
    expect(of('whoami', 'agent')).toBe('agent');
  });
});

describe('what a run does for its caller', () => {
  it('leaves a fifth of the limit to the caller', async () => {
    const log = { info: () => {}, warn: () => {} };
    const limits = openRateLimits({
      store: sharedStore(Date.now),
      limits: { read: 0, write: 10, search: 0, agent: 0 },
      log,
    });
    const ada = { id: 'ada', name: 'ada', role: 'developer' as const, grants: [], keyId: null };
    const outcomes = async (via: 'delegated' | 'api_key') => {
      const states = [];
      for (let call = 0; call < 10; call += 1) states.push(await countCall(limits, { ...ada, via }, 'write'));
      return states.filter((state) => state?.refused === false).length;
    };
    expect(await outcomes('delegated')).toBe(8);
    expect(await outcomes('api_key')).toBe(2);
  });

  it('comes again after the window, spread over five seconds', () => {
    expect([0, 0.25, 1].map((chance) => retryDelayMs(7, () => chance))).toEqual([7_000, 8_250, 12_000]);
    expect(new Set(Array.from({ length: 20 }, () => retryDelayMs(7))).size).toBeGreaterThan(1);
  });
});
