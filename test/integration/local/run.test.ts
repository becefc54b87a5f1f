/** The life of `npm start`, seen from outside: start, second start, stop, crashes, and what it refuses. */
import { readdirSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isAlive } from '../../../bin/lock.js';
import { alive, openRoom, type Room, until } from './start.ts';

let room: Room;
beforeEach(async () => {
  room = await openRoom();
});
afterEach(() => room.close());

describe('a first start', () => {
  it('boots everything, says where it is, and drains on SIGTERM', async () => {
    const first = room.start();
    const output = await first.said(/data +\//);
    expect(output).toContain(`API           http://127.0.0.1:${room.port}`);
    expect(output).toContain(`http://127.0.0.1:${room.port}/mcp`);
    expect(output).toContain(`http://127.0.0.1:${room.port}/docs`);
    expect(output).toContain(`http://127.0.0.1:${room.port}/temporal`);
    expect(output).toContain(join(room.dataDir, 'admin-key'));
    for (const [name, mode] of [
      ['.', 0o700],
      ['postgres-password', 0o400],
      ['admin-key', 0o600],
      ['keys/MASTER_KEY', 0o600],
      ['runtime.json', 0o600],
    ] as const) {
      expect(statSync(join(room.dataDir, name)).mode & 0o777, name).toBe(mode);
    }
    const runtime = first.runtime();
    expect(alive(runtime).sort()).toEqual(['api', 'postgres', 'temporal', 'worker']);

    first.child.kill('SIGTERM');
    expect(await first.exited).toBe(0);
    expect(alive(runtime)).toEqual([]);
    // Callers stop before those who work for them.
    expect(room.read('diary').trim().split('\n').slice(-2)).toEqual(['api drained', 'worker drained']);
  });

  it('lets nobody into Postgres without the password', async () => {
    const first = room.start({ args: ['--servers-only'] });
    await first.said('ready in');
    const [host, port] = (first.runtime().addresses.postgres as string).split(':');
    const client = new pg.Client({
      host,
      port: Number(port),
      user: 'ostinato',
      password: 'guessed',
      database: 'ostinato',
    });
    await expect(client.connect()).rejects.toThrow(/password authentication failed/);
  });
});

describe('a second start', () => {
  it('finds keys, rows and running workflows as they were', async () => {
    const first = room.start();
    await first.said('ready in');
    const told = JSON.parse(room.read('api.json')) as { database: string; temporal: string; key: string };
    const before = new pg.Client({ connectionString: told.database });
    await before.connect();
    await before.query('create table kept as select 42 as answer');
    await before.end();
    const connection = await Connection.connect({ address: told.temporal });
    await new Client({ connection }).workflow.start('waiting', { taskQueue: 'nobody', workflowId: 'w1' });
    await connection.close();
    const adminKey = room.read('admin-key');
    first.child.kill('SIGINT');
    expect(await first.exited).toBe(0);

    const second = room.start();
    const output = await second.said('ready in');
    expect(Number(/ready in ([\d.]+) s/.exec(output)?.[1])).toBeLessThan(15);
    expect(output).not.toContain('warning: made');
    const now = JSON.parse(room.read('api.json')) as typeof told;
    expect(now.key).toBe(told.key);
    expect(room.read('admin-key')).toBe(adminKey);
    const after = new pg.Client({ connectionString: now.database });
    await after.connect();
    expect((await after.query('select answer from kept')).rows).toEqual([{ answer: 42 }]);
    await after.end();
    const again = await Connection.connect({ address: now.temporal });
    expect((await new Client({ connection: again }).workflow.getHandle('w1').describe()).status.name).toBe('RUNNING');
    await again.close();
  });

  it('on a folder in use says so in one line', async () => {
    const first = room.start({ args: ['--servers-only'] });
    await first.said('ready in');
    const second = room.start({ args: ['--servers-only'] });
    expect(await second.exited).toBe(1);
    expect(second.output().trim()).toBe(
      `ostinato: ${room.dataDir} is in use by process ${first.child.pid}: stop that one, or set another DATA_DIR`,
    );
    expect(alive(first.runtime()).sort()).toEqual(['postgres', 'temporal']);
  });

  it('runs beside another copy with its own folder and port', async () => {
    const other = await openRoom();
    try {
      const starts = [room.start({ args: ['--servers-only'] }), other.start({ args: ['--servers-only'] })];
      for (const started of starts) await started.said('ready in');
      expect(starts.flatMap((started) => alive(started.runtime()))).toHaveLength(4);
    } finally {
      await other.close();
    }
  });
});

describe('crashes', () => {
  it('kill -9 of the parent leaves no child, and the next start works', async () => {
    const first = room.start();
    await first.said('ready in');
    const runtime = first.runtime();
    expect(alive(runtime)).toHaveLength(4);
    first.child.kill('SIGKILL');
    await until('all children are gone', () => alive(runtime).length === 0, 15);
    const second = room.start();
    await second.said('ready in');
  });

  for (const name of ['api', 'worker', 'temporal', 'postgres']) {
    it(`${name} comes back when it dies alone`, async () => {
      const first = room.start();
      await first.said('ready in');
      const before = first.runtime().processes.find((process) => process.name === name);
      process.kill(before?.pid as number, 'SIGKILL');
      await first.said(`${name} is back`);
      const after = first.runtime().processes.find((process) => process.name === name);
      expect(after?.pid).not.toBe(before?.pid);
      expect(alive(first.runtime()).sort()).toEqual(['api', 'postgres', 'temporal', 'worker']);
    });
  }

  it('stops its own leftovers first and never a process that only has their number', async () => {
    const first = room.start({ args: ['--servers-only'] });
    await first.said('ready in');
    const runtime = first.runtime();
    first.child.kill('SIGKILL');
    await until('all children are gone', () => alive(runtime).length === 0, 15);
    // A leftover that is alive, and one whose number now belongs to somebody else: this very process.
    const { spawn } = await import('node:child_process');
    const { startTimeOf } = await import('../../../bin/lock.js');
    const { writeRuntime } = await import('../../../src/local/runtime.ts');
    const leftover = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    const holder = {
      name: 'api',
      pid: leftover.pid as number,
      startTime: startTimeOf(leftover.pid as number) as string,
    };
    writeRuntime(room.dataDir, {
      ...runtime,
      processes: [holder, { name: 'worker', pid: process.pid, startTime: 'another time' }],
    });
    const second = room.start({ args: ['--servers-only'] });
    await second.said('ready in');
    expect(second.output()).toContain(`stopping what an earlier run left: api (${leftover.pid})`);
    expect(isAlive(holder)).toBe(false);
  });
});

describe('refusals', () => {
  it('names a taken port in one line', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(room.port, '127.0.0.1', resolve));
    const started = room.start({ args: ['--servers-only'] });
    expect(await started.exited).toBe(1);
    expect(started.output().trim()).toBe(`ostinato: port ${room.port} of 127.0.0.1 is taken: set another SERVER_PORT`);
    await new Promise((resolve) => server.close(resolve));
  });

  it('names every wrong setting and ends with 2', async () => {
    const started = room.start({ env: { SERVER_PORT: 'eighty', DATABASE_URL: 'mysql://x', LOG_LEVEL: 'loud' } });
    expect(await started.exited).toBe(2);
    const lines = started.output().trim().split('\n');
    expect(lines).toHaveLength(3);
    for (const name of ['SERVER_PORT', 'DATABASE_URL', 'LOG_LEVEL']) {
      expect(lines.some((line) => line.startsWith(`ostinato: ${name}: `))).toBe(true);
    }
  });

  it('a stop during the start ends in order too', async () => {
    const started = room.start();
    await started.said('making the database folder');
    started.child.kill('SIGTERM');
    expect(await started.exited).toBe(0);
    const second = room.start({ args: ['--servers-only'] });
    await second.said('ready in');
  });

  it('kill -9 while the database is made, again and again, leaves nothing in the way of the next start', async () => {
    for (const delayMs of [0, 100, 250, 400, 600, 900]) {
      const broken = room.start({ args: ['--servers-only'] });
      // On a quick machine one of them had the time to finish the folder: then the next has none to make.
      await broken.said(/making the database folder|ready in/);
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      broken.child.kill('SIGKILL');
      await broken.exited;
    }
    const last = room.start({ args: ['--servers-only'] });
    await last.said('ready in');
    expect(readdirSync(room.dataDir).filter((name) => /new|unfinished/.test(name))).toEqual([]);
  });
});
