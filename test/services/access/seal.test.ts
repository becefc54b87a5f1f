/** Sealed secrets: what opens them, and what each way of failing says. */
import { describe, expect, it } from 'vitest';
import type { Failure } from '../../../src/schema/failures.ts';
import { open, seal } from '../../../src/services/access/seal.ts';

const master = { MASTER_KEY: '11'.repeat(32) };
const place = { owner: 'ada', name: 'crm' };
const message = (act: () => unknown) => {
  try {
    act();
  } catch (error) {
    return `${(error as Failure).code}: ${(error as Failure).message}`;
  }
  return 'opened';
};

describe('a sealed secret', () => {
  it('opens where it was sealed, whatever it holds', () => {
    for (const secret of ['', 'x', 'ü 💡', 'y'.repeat(10_000)]) {
      expect(open(master, place, seal(master, place, secret))).toBe(secret);
    }
  });

  it('never looks the same twice, and shows nothing of the secret or the key', () => {
    const [one, two] = [seal(master, place, 'the secret itself'), seal(master, place, 'the secret itself')];
    expect(one.equals(two)).toBe(false);
    expect(one.toString('latin1')).not.toContain('secret');
    expect(one.toString('hex')).not.toContain('11'.repeat(8));
  });

  it.each([
    ['another owner', { owner: 'bob', name: 'crm' }],
    ['another name', { owner: 'ada', name: 'cRm' }],
    ['the same letters cut elsewhere', { owner: 'ad', name: 'acrm' }],
  ])('does not open for %s', (_name, other) => {
    const sealed = seal(master, place, 'x');
    expect(message(() => open(master, other, sealed))).toMatch(/^unsealable: .*altered, or belongs to another/);
  });

  it('names MASTER_KEY when that is another one or absent', () => {
    const sealed = seal(master, place, 'x');
    expect(message(() => open({ MASTER_KEY: '22'.repeat(32) }, place, sealed))).toMatch(/under another MASTER_KEY/);
    expect(message(() => open({ MASTER_KEY: undefined }, place, sealed))).toMatch(/MASTER_KEY is not set/);
    expect(message(() => seal({ MASTER_KEY: undefined }, place, 'x'))).toMatch(/MASTER_KEY is not set/);
    // The same 32 bytes in the other spelling are the same key.
    expect(open({ MASTER_KEY: Buffer.alloc(32, 0x11).toString('base64') }, place, sealed)).toBe('x');
  });

  it('does not open with any bit of it changed, or cut short', () => {
    const sealed = seal(master, place, 'x');
    for (let at = 0; at < sealed.length; at++) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(
        message(() => open(master, place, changed)),
        `byte ${at}`,
      ).toMatch(/^unsealable/);
      expect(
        message(() => open(master, place, sealed.subarray(0, at))),
        `cut at ${at}`,
      ).toMatch(/^unsealable/);
    }
  });
});
