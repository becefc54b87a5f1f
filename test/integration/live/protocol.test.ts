/** The protocol of `/ws`: signing in, frames, subscriptions, what is refused and with which code. */
import { randomUUID } from 'node:crypto';
import { connect as connectTcp } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeKey, openStand, type Stand } from '../api/stand.ts';
import { connect, jwt, type LiveServer, metric, Refused, startServer, write } from './stage.ts';

let stand: Stand;
let server: LiveServer;
let admin: string;

beforeAll(async () => {
  stand = await openStand();
  server = await startServer(stand);
  admin = (await makeKey(stand.deps, 'admin')).key;
});
afterAll(async () => {
  await server.close();
  await stand.close();
});

const NOW = '2026-01-02T03:04:05.000Z';

describe('frames', () => {
  it('have exactly the fields of their type and seq; other events travel as `event`', async () => {
    const client = await connect(server, { token: admin });
    const ready = await client.heard('ready');
    expect(ready).toEqual({ type: 'ready', seq: expect.stringMatching(/^\d+-\d+$/), heartbeat_seconds: 15 });
    const task = { task_id: 't1', status: 'running', progress: 0.5, timestamp: NOW };
    const agent = { agent_id: 'a1', status: 'active', current_load: 0.75, timestamp: NOW };
    const pipeline = {
      pipeline_id: 'p1',
      run_id: 'r1',
      current_stage: 2,
      completed_stages: [0, 1],
      progress: 0.33,
      timestamp: NOW,
    };
    const error = {
      task_id: 't1',
      error: 'Task execution failed',
      details: { code: 'EXECUTION_ERROR', message: 'Invalid input data format' },
      timestamp: NOW,
    };
    const given = [
      ['task.updated', 'task:t1', task],
      ['agent.updated', 'agent:a1', agent],
      ['pipeline.progress', 'run:r1', pipeline],
      ['task.error', 'task:t1', error],
      ['file.uploaded', 'file:f1', { file_id: 'f1' }],
    ] as const;
    for (const [name, resource, data] of given) {
      await write(stand.deps.db, 1, { name, resource, data: data as never });
    }
    const seq = expect.stringMatching(/^\d+-\d+$/);
    const mark = expect.any(Number);
    expect(await client.count(5)).toEqual([
      { type: 'task_update', ...task, seq },
      { type: 'agent_update', ...agent, seq },
      { type: 'pipeline_progress', ...pipeline, seq },
      { type: 'error', ...error, seq },
      { type: 'event', name: 'file.uploaded', seq, data: { file_id: 'f1', mark } },
    ]);
    await client.close();
  });
});

describe('signing in', () => {
  it('takes a key, a JWT, and the session cookie of a page of its own', async () => {
    const token = await jwt({ role: 'viewer' }, Math.floor(Date.now() / 1000) + 60);
    await (await connect(server, { token })).close();
    const origin = `http://127.0.0.1:${server.port}`;
    const headers = { authorization: `Bearer ${admin}` };
    const begun = await fetch(`${origin}/api/v1/session`, { method: 'POST', headers });
    const cookie = begun.headers.get('set-cookie')?.split(';')[0] ?? '';
    const page = await connect(server, { headers: { cookie, origin } });
    await page.heard('ready');
    // Without an origin nothing shows that a page of ours sent it.
    const other = await connect(server, { headers: { cookie } });
    other.send({ type: 'ping' });
    expect(await other.heard('problem')).toMatchObject({ code: 'unauthenticated' });
    await other.close();
    await fetch(`${origin}/api/v1/session`, { method: 'DELETE', headers: { cookie, origin } });
    expect((await page.closed).code).toBe(4401);
  });

  it('closes 4401 for a bad token and for none in time', async () => {
    const bad = await connect(server);
    bad.send({ type: 'auth', token: 'ost_nobody' });
    expect(await bad.heard('problem')).toMatchObject({ code: 'unauthenticated' });
    expect((await bad.closed).code).toBe(4401);
    const quick = await startServer(stand, { limits: { authMs: 100 } });
    const silent = await connect(quick);
    expect((await silent.closed).code).toBe(4401);
    const held = await connect(quick);
    await write(stand.deps.db, 3);
    expect((await held.closed).code).toBe(4401);
    expect(held.messages).toEqual([]);
    await expect.poll(() => metric(quick.metrics.socketCloses, 4401)).toBe(2);
    await quick.close();
  });

  it('closes 4403 for a role that may not read tasks', async () => {
    const { key } = await makeKey(stand.deps, 'agent');
    const agent = await connect(server);
    agent.send({ type: 'auth', token: key });
    expect((await agent.closed).code).toBe(4403);
    expect(agent.messages).toEqual([]);
  });

  it('counts failures with those over HTTP, per address', async () => {
    const strict = await startServer(stand, { failedPerMinute: 3 });
    const wrong = { headers: { authorization: 'Bearer ost_nobody' } };
    for (let n = 0; n < 2; n++) {
      expect((await fetch(`http://127.0.0.1:${strict.port}/api/v1/events`, wrong)).status).toBe(401);
    }
    const codes = [];
    for (let n = 0; n < 2; n++) {
      const client = await connect(strict);
      client.send({ type: 'auth', token: `ost_nobody${n}` });
      codes.push((await client.closed).code);
    }
    expect(codes).toEqual([4401, 4429]);
    expect((await fetch(`http://127.0.0.1:${strict.port}/api/v1/events`, wrong)).status).toBe(429);
    const audited = await stand.deps.db
      .selectFrom('audit_log')
      .select('resource')
      .where('operation', '=', 'authenticate')
      .where('resource', '=', 'websocket')
      .execute();
    expect(audited.length).toBeGreaterThan(0);
    await strict.close();
  });

  it('may be repeated by the same caller, and not by another', async () => {
    const subject = 'eve';
    const first = await makeKey(stand.deps, 'viewer', { principal_id: subject });
    const second = await makeKey(stand.deps, 'viewer', { principal_id: subject });
    const client = await connect(server, { token: first.key });
    client.send({ type: 'auth', token: admin });
    expect(await client.heard('problem')).toMatchObject({ code: 'conflict' });
    client.send({ type: 'auth', token: second.key });
    await expect.poll(() => client.messages.filter(({ type }) => type === 'ready').length).toBe(2);
    await write(stand.deps.db, 1, { owner: subject });
    expect(await client.count(1)).toHaveLength(1);
    await client.close();
  });

  it('ends with the key, and with the JWT', async () => {
    const key = await makeKey(stand.deps, 'viewer');
    const byKey = await connect(server, { token: key.key });
    // Tokens are let through for 30 s more, because clocks differ.
    const token = await jwt({ role: 'viewer' }, Math.floor(Date.now() / 1000) - 27);
    const byJwt = await connect(server, { token });
    await stand.deps.db
      .updateTable('api_keys')
      .set({ revoked_at: new Date() })
      .where('key_id', '=', key.key_id)
      .execute();
    expect((await byKey.closed).code).toBe(4401);
    expect((await byJwt.closed).code).toBe(4401);
  });
});

describe('upgrades', () => {
  const refusals: [string, string, Record<string, string>, number][] = [
    ['a page of another origin', '/ws', { origin: 'https://evil.example' }, 403],
    ['a page without an origin of its own', '/ws', { origin: 'null' }, 403],
    ['a name that is not ours', '/ws', { host: 'evil.example' }, 403],
    ['another path', '/elsewhere', {}, 404],
  ];
  it.each(refusals)('are refused: %s', async (_what, path, headers, status) => {
    const url = `ws://127.0.0.1:${server.port}${path}`;
    await expect(connect({ url }, { headers })).rejects.toEqual(new Refused(status));
  });

  it('leave other protocols to HTTP', async () => {
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connectTcp(server.port, '127.0.0.1', () => {
        socket.write('GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n');
      });
      socket.once('data', (data) => {
        resolve(String(data));
        socket.destroy();
      });
      socket.once('error', reject);
    });
    expect(answer).toMatch(/^HTTP\/1\.1 (200|503) /);
  });
});

describe('messages', () => {
  it('are answered, and those that cannot be read are told and in the end closed 4400', async () => {
    const client = await connect(server, { token: admin });
    client.send({ type: 'ping' });
    await client.heard('pong');
    client.send({ type: 'subscribe', id: 'a', filters: { names: ['file.uploaded'] } });
    expect(await client.heard('subscribed')).toEqual({ type: 'subscribed', id: 'a' });
    client.send('{');
    expect(await client.heard('problem')).toEqual({ type: 'problem', code: 'invalid_input', detail: 'is not JSON' });
    client.send({ type: 'dance' });
    client.send({ type: 'subscribe', filters: { colour: 'red' } });
    client.send({ type: 'resume', seq: 'yesterday' });
    client.ws.send(Buffer.from('{"type":"ping"}'));
    expect((await client.closed).code).toBe(4400);
    expect(client.messages.filter(({ type }) => type === 'problem')).toHaveLength(5);
    expect(client.messages.filter(({ type }) => type === 'pong')).toHaveLength(1);
  });

  it('close the socket when too large or too many, also before anybody signed in', async () => {
    const large = await connect(server);
    large.send({ type: 'auth', token: 'x'.repeat(20_000) });
    expect((await large.closed).code).toBe(1009);
    const many = await connect(server, { token: admin });
    for (let n = 0; n < 200; n++) many.send({ type: 'ping' });
    expect((await many.closed).code).toBe(4429);
  });

  it('survive garbage on the wire', async () => {
    const client = await connect(server, { token: admin });
    // Three reserved bits and an opcode that does not exist.
    (client.ws as unknown as { _socket: { write(data: Buffer): void } })._socket.write(Buffer.from([0xff, 0xff, 0, 1]));
    expect((await client.closed).code).toBe(1002);
    await (await connect(server, { token: admin })).close();
  });
});

describe('subscriptions', () => {
  it('let through what one of them wants, from then on', async () => {
    const [task, agent, run, pipeline, file] = Array.from({ length: 5 }, () => randomUUID()) as [
      string,
      string,
      string,
      string,
      string,
    ];
    const client = await connect(server, { token: admin });
    const wanted = [
      { id: 'task', filters: { task_id: task } },
      { id: 'failures', filters: { types: ['error'], task_id: 'other' } },
      { id: 'agent', filters: { agent_id: agent } },
      { id: 'pipeline', filters: { pipeline_id: pipeline } },
      { id: 'file', filters: { file_id: file, names: ['file.uploaded'] } },
      { id: 'never', filters: { file_id: file, task_id: task } },
    ];
    for (const one of wanted) client.send({ type: 'subscribe', ...one });
    await expect.poll(() => client.messages.filter(({ type }) => type === 'subscribed').length).toBe(wanted.length);
    const { db } = stand.deps;
    const rows = [
      ['task.updated', `task:${task}`, { task_id: task }],
      ['task.updated', 'task:other', { task_id: 'other' }],
      ['task.error', 'task:other', { task_id: 'other' }],
      ['agent.updated', `agent:${agent}`, { agent_id: agent }],
      ['agent.updated', 'agent:other', { agent_id: 'other' }],
      ['pipeline.progress', `run:${run}`, { run_id: run, pipeline_id: pipeline }],
      ['pipeline.progress', `run:${run}`, { run_id: run, pipeline_id: 'other' }],
      ['file.uploaded', `file:${file}`, { file_id: file }],
      ['processing.started', `file:${file}`, { file_id: file }],
    ] as const;
    for (const [name, resource, data] of rows) await write(db, 1, { name, resource, data });
    expect(await client.count(5)).toHaveLength(5);
    client.send({ type: 'subscribe', id: 'all' });
    await expect.poll(() => client.messages.filter(({ type }) => type === 'subscribed').length).toBe(wanted.length + 1);
    await write(db, 1, { name: 'query.executed' });
    const got = await client.count(6);
    const about = ({ task_id, agent_id, pipeline_id, name }: Record<string, string>) =>
      task_id ?? agent_id ?? pipeline_id ?? name;
    expect(got.map((message) => about(message))).toEqual([
      task,
      'other',
      agent,
      pipeline,
      'file.uploaded',
      'query.executed',
    ]);
    for (const id of [...wanted.map((one) => one.id), 'all']) client.send({ type: 'unsubscribe', id });
    await expect
      .poll(() => client.messages.filter(({ type }) => type === 'unsubscribed').length)
      .toBe(wanted.length + 1);
    await write(db, 1, { name: 'query.executed' });
    client.send({ type: 'subscribe', filters: { names: ['file.uploaded'] } });
    await write(db, 1, { name: 'file.uploaded' });
    expect((await client.count(7)).at(-1)).toMatchObject({ name: 'file.uploaded' });
    await client.close();
  });
});
