/** Which limit each operation of the house counts against. */
import { describe, expect, it } from 'vitest';
import { operations } from '../../../src/operations/index.ts';
import { rateClassOf } from '../../../src/services/limits/rates.ts';

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
