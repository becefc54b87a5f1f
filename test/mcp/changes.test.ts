/** Which events change which resource. */
import { expect, test } from 'vitest';
import type { Change } from '../../src/mcp/contract.ts';
import { CONTEXT_URI } from '../../src/schema/context.ts';
import type { EventName } from '../../src/schema/names.ts';
import { runUri } from '../../src/schema/run-uris.ts';
import type { EventHub } from '../../src/services/event-hub.ts';
import { contextChanges } from '../../src/services/resources.ts';

/** What subscribers hear when these events are logged. */
async function heard(events: [name: EventName, resource: string | null][]): Promise<Change[]> {
  const over = Promise.withResolvers<void>();
  const hub = {
    async *subscribe() {
      for (const [name, resource] of events) yield { name, resource };
      over.resolve();
    },
  } as unknown as EventHub;
  const changes: Change[] = [];
  contextChanges(hub).subscribe((change) => void changes.push(change));
  await over.promise;
  return changes;
}

test('a run changes its own document, and the list when it is new', async () => {
  expect(
    await heard([
      ['pipeline.progress', 'run:a'],
      ['approval.requested', 'run:a'],
      ['pipeline.progress', 'run:b'],
      ['pipeline.progress', 'run:a'],
    ]),
  ).toEqual([
    { list: true },
    { uri: runUri('a') },
    { uri: runUri('a') },
    { list: true },
    { uri: runUri('b') },
    { uri: runUri('a') },
  ]);
});

test('files and queries change the context document; tasks and agents change nothing', async () => {
  expect(
    await heard([
      ['file.uploaded', 'file:f'],
      ['task.updated', 'task:t'],
      ['agent.updated', 'agent:a'],
      ['query.executed', null],
      ['notification.undelivered', null],
    ]),
  ).toEqual([{ uri: CONTEXT_URI }, { uri: CONTEXT_URI }]);
});

test('of very many runs the oldest is forgotten, and only costs a look', async () => {
  const many = Array.from({ length: 1_001 }, (_, n): [EventName, string] => ['pipeline.progress', `run:${n}`]);
  const changes = await heard([...many, ['pipeline.progress', 'run:1000'], ['pipeline.progress', 'run:0']]);
  expect(changes.slice(-3)).toEqual([{ uri: runUri('1000') }, { list: true }, { uri: runUri('0') }]);
});
