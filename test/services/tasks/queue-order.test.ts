/** Who is next in the queue. */
import { expect, test } from 'vitest';
import { takeNext, type Waiting } from '../../../src/stores/task-order.ts';

let made = 0;
function head(over: Partial<Waiting>): Waiting {
  const task_id = `t${++made}`;
  return {
    task_id,
    owner: 'ana',
    lane: 'plain',
    rank: 1,
    queued_at: new Date(made * 1000),
    owner_slots: 0,
    ...over,
  };
}

function order(heads: Waiting[], blocked: string[] = []): string[] {
  const rest = [...heads];
  const taken = new Map<string, number>();
  const ids: string[] = [];
  for (;;) {
    const next = takeNext(rest, taken, new Set(blocked));
    if (next === null) return ids;
    taken.set(next.owner, (taken.get(next.owner) ?? 0) + 1);
    ids.push(next.task_id);
  }
}

test('rank goes first, whoever waited longer', () => {
  const [low, medium, high] = [head({ rank: 2 }), head({ rank: 1 }), head({ rank: 0 })];
  expect(order([low, medium, high])).toEqual([high, medium, low].map(({ task_id }) => task_id));
});

test('within a rank the owner with the fewest slots goes first, then who waited longest', () => {
  const [a1, a2, a3] = [head({ owner: 'ana' }), head({ owner: 'ana' }), head({ owner: 'ana' })];
  const [b1, b2] = [head({ owner: 'bo' }), head({ owner: 'bo' })];
  expect(order([a3, a2, a1, b2, b1])).toEqual([a1, b1, a2, b2, a3].map(({ task_id }) => task_id));
});

test('slots that an owner has already count', () => {
  const ana = head({ owner: 'ana', owner_slots: 2 });
  const [b1, b2, b3] = [head({ owner: 'bo' }), head({ owner: 'bo' }), head({ owner: 'bo' })];
  expect(order([ana, b1, b2, b3])).toEqual([b1, b2, ana, b3].map(({ task_id }) => task_id));
});

test('a lane that nobody can do now is passed', () => {
  const [first, second] = [head({ lane: 'gpu' }), head({ lane: 'plain' })];
  expect(order([first, second], ['gpu'])).toEqual([second.task_id]);
});
