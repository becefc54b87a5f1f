/** The limit on failed authentications, minute by minute. */
import { describe, expect, it } from 'vitest';
import { Failure } from '../../../src/schema/failures.ts';
import { createFailureLimit } from '../../../src/services/access/failure-limit.ts';

describe('createFailureLimit', () => {
  it('counts by address, opens after a minute, and lets known credentials through', () => {
    let now = 1_000_000;
    const limit = createFailureLimit({ perMinute: 2, now: () => now });
    const check =
      (address: string, credential = 'x') =>
      () =>
        limit.check(address, credential);
    limit.succeeded('good');
    limit.failed('a');
    expect(check('a')).not.toThrow();
    limit.failed('a');
    expect(check('a')).toThrow(Failure);
    expect(check('b')).not.toThrow();
    expect(check('a', 'good')).not.toThrow();
    now += 30_000;
    expect(check('a')).toThrow(expect.objectContaining({ code: 'too_many_requests', retryAfterSeconds: 30 }));
    now += 30_000;
    expect(check('a')).not.toThrow();
    limit.failed('a');
    expect(check('a')).not.toThrow();
  });
});
