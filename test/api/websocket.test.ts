/** Frames byte by byte, messages of clients, and which upgrades are let in. */
import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import * as library from 'ws';
import { frameOf, textFrame } from '../../src/api/websocket/frames.ts';
import { readInbox, readMessage } from '../../src/api/websocket/inbox.ts';
import { asksForWebSocket, upgradeRule } from '../../src/api/websocket/upgrade.ts';
import type { Failure } from '../../src/schema/failures.ts';
import type { EventName } from '../../src/schema/names.ts';
import type { LoggedEvent } from '../../src/stores/events.ts';

/** The library's own parser, which its types leave out. */
const { Receiver } = library as unknown as { Receiver: new (options: { isServer: boolean }) => Writable };

describe('textFrame', () => {
  it.each([0, 1, 125, 126, 127, 65_535, 65_536, 70_000])(
    'is read by `ws` as it was meant: %i bytes',
    async (length) => {
      const text = 'é'.repeat(length >> 1) + 'x'.repeat(length & 1);
      const receiver = new Receiver({ isServer: false });
      const heard = new Promise<[Buffer, boolean]>((resolve, reject) => {
        receiver.once('message', (data: Buffer, isBinary: boolean) => resolve([data, isBinary]));
        receiver.once('error', reject);
      });
      receiver.write(textFrame(text));
      const [data, isBinary] = await heard;
      expect(isBinary).toBe(false);
      expect(data.toString()).toBe(text);
    },
  );
});

const event = (name: EventName, data: LoggedEvent['data']): LoggedEvent => ({
  id: '7-9',
  event_id: 'e',
  name,
  owner: 'ada',
  resource: null,
  data,
  shared: false,
  created_at: new Date(0),
});

describe('frameOf', () => {
  const read = (frame: Buffer) => JSON.parse(frame.subarray(frame.indexOf('{')).toString());

  it('keeps to the fields of a type, in their order, and leaves others as they are', () => {
    const data = { timestamp: 't', mark: 1, progress: 0.5, status: 'running', task_id: 'a' };
    const update = read(frameOf(event('task.updated', data)));
    expect(Object.entries(update)).toEqual([
      ['type', 'task_update'],
      ['task_id', 'a'],
      ['status', 'running'],
      ['progress', 0.5],
      ['timestamp', 't'],
      ['seq', '7-9'],
    ]);
    expect(read(frameOf(event('file.uploaded', { a: 1 })))).toEqual({
      type: 'event',
      name: 'file.uploaded',
      seq: '7-9',
      data: { a: 1 },
    });
  });

  it('is made once for one event', () => {
    const one = event('file.uploaded', {});
    expect(frameOf(one)).toBe(frameOf(one));
  });
});

describe('readMessage', () => {
  it.each([
    ['{"type":"ping"}', { type: 'ping' }],
    ['{"type":"auth","token":"t"}', { type: 'auth', token: 't' }],
    ['{"type":"subscribe"}', { type: 'subscribe', id: 'default', filters: {} }],
    ['{"type":"unsubscribe","id":"a"}', { type: 'unsubscribe', id: 'a' }],
    ['{"type":"resume","seq":"0"}', { type: 'resume', seq: '0' }],
    ['{"type":"resume","seq":"12-34"}', { type: 'resume', seq: '12-34' }],
  ])('takes %s', (text, message) => {
    expect(readMessage(text)).toEqual(message);
  });

  it.each([
    '',
    '[]',
    'null',
    '7',
    '{"type":"pong"}',
    '{"type":"ping","more":1}',
    '{"type":"auth"}',
    '{"type":"auth","token":""}',
    `{"type":"auth","token":"${'x'.repeat(8_193)}"}`,
    '{"type":"resume","seq":12}',
    '{"type":"resume","seq":"1-2-3"}',
    '{"type":"subscribe","filters":{"names":["nothing"]}}',
    '{"type":"subscribe","filters":{"types":["all"]}}',
    '{"type":"subscribe","filters":{"__proto__":{}, "x":1}}',
  ])('says what is wrong with %s', (text) => {
    expect(readMessage(text)).toEqual(expect.any(String));
  });
});

describe('readInbox', () => {
  function inbox(first = Promise.resolve()) {
    const ws = Object.assign(new EventEmitter(), { readyState: 1, OPEN: 1 });
    const heard: unknown[] = [];
    const clock = { now: 0 };
    readInbox(
      ws as unknown as WebSocket,
      first,
      {
        message: async (message) => void heard.push(message.type),
        problem: (detail, last) => heard.push([detail, last]),
        flood: () => heard.push('flood'),
      },
      () => clock.now,
    );
    const send = (text: string, isBinary = false) => ws.emit('message', Buffer.from(text), isBinary);
    return { ws, heard, clock, send, settled: () => new Promise((resolve) => setImmediate(resolve)) };
  }

  it('handles one message after the other, behind what came first', async () => {
    const first = Promise.withResolvers<void>();
    const { heard, send, settled } = inbox(first.promise);
    send('{"type":"auth","token":"t"}');
    send('{"type":"ping"}');
    await settled();
    expect(heard).toEqual([]);
    first.resolve();
    await settled();
    expect(heard).toEqual(['auth', 'ping']);
  });

  it('gives up on the fifth message that cannot be read', async () => {
    const { heard, send } = inbox();
    for (let n = 0; n < 4; n++) send('{');
    send('{"type":"ping"}', true);
    expect(heard.slice(0, 4)).toEqual(Array(4).fill(['is not JSON', false]));
    expect(heard[4]).toEqual(['must be text', true]);
  });

  it('takes a hundred messages at once and twenty a second', async () => {
    const { heard, send, clock, settled } = inbox();
    const flood = async (count: number) => {
      for (let n = 0; n < count; n++) {
        send('{"type":"ping"}');
        await settled();
      }
      return heard.splice(0).filter((word) => word === 'flood').length;
    };
    expect(await flood(100)).toBe(0);
    expect(await flood(1)).toBe(1);
    clock.now += 1_000;
    expect(await flood(19)).toBe(0);
    expect(await flood(2)).toBe(2);
    clock.now += 3_600_000;
    expect(await flood(100)).toBe(0);
    expect(await flood(1)).toBe(1);
  });
});

describe('upgrades', () => {
  const settings = { HOST: '127.0.0.1', ALLOWED_HOSTS: [], publicUrl: 'https://app.example', SERVER_PORT: 8080 };
  const rule = upgradeRule(settings as never);
  const ask = (headers: Record<string, string>, url = '/ws?x=1') => {
    try {
      return rule.check({ url, headers } as unknown as IncomingMessage);
    } catch (error) {
      return (error as Failure).code;
    }
  };
  const cookie = 'other=1; ostinato_session_8080=secret';

  it.each([
    [{ host: 'localhost:8080' }, { session: undefined }],
    [{ host: 'localhost:8080', cookie }, { session: undefined }],
    [{ host: 'localhost:8080', cookie, origin: 'http://localhost:8080' }, { session: 'secret' }],
    [{ host: 'app.example', cookie, origin: 'https://app.example' }, { session: 'secret' }],
    // Behind a proxy that gives another Host.
    [{ host: '127.0.0.1:8080', cookie, origin: 'https://app.example' }, { session: 'secret' }],
    [{ host: 'localhost:8080', cookie, origin: 'http://localhost:9090' }, 'forbidden'],
    [{ host: 'localhost:8080', cookie, origin: 'http://localhost:8080.evil.example' }, 'forbidden'],
    [{ host: 'evil.example', origin: 'http://evil.example' }, 'forbidden'],
    [{ host: 'localhost:8080', origin: 'null' }, 'forbidden'],
    [{}, 'forbidden'],
  ])('%j: %j', (headers, answer) => {
    expect(ask(headers as Record<string, string>)).toEqual(answer);
  });

  it('are at one path', () => {
    expect(ask({ host: 'localhost' }, '/ws/')).toBe('not_found');
    expect(ask({ host: 'localhost' }, '/')).toBe('not_found');
  });

  it.each([
    ['websocket', true],
    ['WebSocket', true],
    ['h2c', false],
    [undefined, false],
  ])('Upgrade: %s is one: %s', (upgrade, is) => {
    expect(asksForWebSocket({ headers: { upgrade } } as IncomingMessage)).toBe(is);
  });
});
