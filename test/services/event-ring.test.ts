/** The ring against a plain list of everything that was ever pushed. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRing } from '../../src/services/events/ring.ts';
import { isAfter, parsePosition } from '../../src/stores/event-position.ts';
import type { LoggedEvent } from '../../src/stores/events.ts';

const event = (xid: number, seq: number): LoggedEvent => ({
  id: `${xid}-${seq}`,
  event_id: '',
  name: 'file.uploaded',
  owner: 'ada',
  resource: null,
  data: { text: 'x'.repeat(seq % 7) },
  shared: false,
  created_at: new Date(0),
});

describe('createRing', () => {
  it('finds what comes after a position, or says that it no longer can', () => {
    const batches = fc.array(fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 6 }), { maxLength: 400 });
    fc.assert(
      fc.property(batches, fc.integer({ min: 1, max: 900 }), fc.integer({ min: 0, max: 2_500 }), (steps, most, ask) => {
        const floor = { xid: 10n, seq: 0n };
        const ring = createRing(floor, { events: most, bytes: Number.POSITIVE_INFINITY });
        const all: LoggedEvent[] = [];
        let xid = 10;
        for (const batch of steps) {
          const events = batch.map((step) => {
            xid += step;
            return event(xid, xid);
          });
          ring.push(events);
          all.push(...events);
        }
        expect(ring.next).toBe(all.length);
        expect(ring.next - ring.first).toBe(Math.min(all.length, most));
        expect(ring.at(ring.first - 1)).toBeUndefined();
        expect(ring.at(ring.next)).toBeUndefined();
        const position = { xid: BigInt(ask), seq: 0n };
        const number = ring.locate(position);
        const after = all.findIndex((one) => isAfter(parsePosition(one.id), position));
        const expected = after < 0 ? all.length : after;
        if (isAfter(floor, position) || expected < ring.first) expect(number).toBeNull();
        else {
          expect(number).toBe(expected);
          expect(ring.at(expected)?.event.id).toBe(all[expected]?.id);
        }
      }),
    );
  });

  it('keeps within its bytes, and always the newest', () => {
    const ring = createRing({ xid: 0n, seq: 0n }, { events: 100, bytes: 10_000 });
    for (let n = 1; n <= 50; n++) ring.push([{ ...event(n, 1), data: { text: 'x'.repeat(1_000) } }]);
    expect(ring.next - ring.first).toBeLessThan(10);
    ring.push([{ ...event(51, 1), data: { text: 'x'.repeat(100_000) } }]);
    expect(ring.next - ring.first).toBe(1);
    expect(ring.locate({ xid: 50n, seq: 1n })).toBe(50);
    expect(ring.locate({ xid: 49n, seq: 1n })).toBeNull();
  });
});
