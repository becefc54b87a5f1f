/** Who sees which event: roles, owners and grants, the same over WebSocket, over SSE, from memory and from the database. */
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LIVE_TYPES, type LiveFilters } from '../../../src/schema/live.ts';
import { EVENT_NAMES, type Role } from '../../../src/schema/names.ts';
import { fitsView, toEventFilter } from '../../../src/services/events/view.ts';
import { BEGINNING } from '../../../src/stores/event-position.ts';
import { type EventFilter, eventHead, findGap, positionBack, readEvents } from '../../../src/stores/events.ts';
import { makeKey, openStand, type Stand } from '../api/stand.ts';
import { readStream } from './sse.ts';
import { connect, type LiveServer, startServer, write } from './stage.ts';

let stand: Stand;
/** One whose readers come from memory, one whose readers always read pages first. */
let servers: [LiveServer, LiveServer];
let start: string;

const EVENTS = {
  adaTask: { name: 'task.updated', owner: 'ada', resource: 'task:t1', data: { task_id: 't1' } },
  bobTask: { name: 'task.updated', owner: 'bob', resource: 'task:t2', data: { task_id: 't2' } },
  bobError: { name: 'task.error', owner: 'bob', resource: 'task:t3', data: { task_id: 't3' } },
  bobAgent: { name: 'agent.updated', owner: 'bob', resource: 'agent:a1', data: { agent_id: 'a1' } },
  bobRun: { name: 'pipeline.progress', owner: 'bob', resource: 'run:r1', data: { pipeline_id: 'p1', run_id: 'r1' } },
  bobRunTask: {
    name: 'task.updated',
    owner: 'bob',
    resource: 'task:t4',
    data: { task_id: 't4', run_id: 'r1', pipeline_id: 'p1' },
  },
  bobRunError: {
    name: 'task.error',
    owner: 'bob',
    resource: 'task:t4',
    data: { task_id: 't4', run_id: 'r1', pipeline_id: 'p1' },
  },
  bobAsked: { name: 'approval.requested', owner: 'bob', resource: 'run:r1', data: { run_id: 'r1', pipeline_id: 'p1' } },
  bobDecided: { name: 'approval.decided', owner: 'bob', resource: 'run:r1', data: { run_id: 'r1', pipeline_id: 'p1' } },
  // Labelled with the pipeline, but of no run of it.
  bobLabelled: { name: 'task.updated', owner: 'bob', resource: 'task:t5', data: { task_id: 't5', pipeline_id: 'p1' } },
  cyRun: { name: 'pipeline.progress', owner: 'cy', resource: 'run:r2', data: { pipeline_id: 'p2', run_id: 'r2' } },
  cyFile: { name: 'file.uploaded', owner: 'cy', resource: 'file:f1', data: { file_id: 'f1' } },
  // Says p1 in its data, but is no progress of it.
  cyOther: { name: 'query.executed', owner: 'cy', resource: null, data: { pipeline_id: 'p1' } },
  // Of an agent that does everybody's tasks.
  sharedAgent: { name: 'agent.updated', owner: 'olga', resource: 'agent:a2', shared: true, data: { agent_id: 'a2' } },
} as const;
const OF_RUN = ['bobRun', 'bobRunTask', 'bobRunError', 'bobAsked', 'bobDecided'] as const;
type Name = keyof typeof EVENTS;
const ALL = Object.keys(EVENTS) as Name[];
const ids = new Map<string, Name>();

beforeAll(async () => {
  stand = await openStand();
  servers = [await startServer(stand), await startServer(stand, { warm: 0 })];
  start = (await (await connect(servers[0], { token: (await makeKey(stand.deps, 'admin')).key })).heard('ready')).seq;
  for (const name of ALL) await write(stand.deps.db, 1, EVENTS[name]);
  const page = await readEvents(stand.deps.db, { owners: null, after: BEGINNING, limit: 100 });
  for (const [n, { id }] of page.events.entries()) ids.set(id, ALL[n] as Name);
  expect(ids.size).toBe(ALL.length);
  // The second server's memory begins behind all of them.
  await servers[1].hub.head();
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()));
  await stand.close();
});

const CASES: { role: Role; id: string; grants?: string[]; sees: Name[] }[] = [
  { role: 'admin', id: 'root', sees: ALL },
  { role: 'operator', id: 'olga', sees: ALL },
  { role: 'developer', id: 'ada', sees: ['adaTask', 'sharedAgent'] },
  { role: 'analyst', id: 'ada', sees: ['adaTask', 'sharedAgent'] },
  { role: 'viewer', id: 'ada', sees: ['adaTask', 'sharedAgent'] },
  { role: 'viewer', id: 'bob', sees: ['bobTask', 'bobError', 'bobAgent', ...OF_RUN, 'bobLabelled', 'sharedAgent'] },
  { role: 'viewer', id: 'nobody', sees: ['sharedAgent'] },
  {
    role: 'viewer',
    id: 'nobody',
    grants: ['owner:ada', 'owner:cy'],
    sees: ['adaTask', 'cyRun', 'cyFile', 'cyOther', 'sharedAgent'],
  },
  { role: 'viewer', id: 'nobody', grants: ['task:t2'], sees: ['bobTask', 'sharedAgent'] },
  { role: 'viewer', id: 'nobody', grants: ['agent:a1', 'file:f1'], sees: ['bobAgent', 'cyFile', 'sharedAgent'] },
  { role: 'viewer', id: 'nobody', grants: ['run:r2'], sees: ['cyRun', 'sharedAgent'] },
  { role: 'viewer', id: 'nobody', grants: ['pipeline:p1'], sees: [...OF_RUN, 'sharedAgent'] },
  { role: 'viewer', id: 'nobody', grants: ['run:r1'], sees: [...OF_RUN, 'sharedAgent'] },
  { role: 'viewer', id: 'ada', grants: ['task:t3', 'workflow:w1'], sees: ['adaTask', 'bobError', 'sharedAgent'] },
  // Nearly, but not quite.
  { role: 'viewer', id: 'nobody', grants: ['task:t', 'task:t22', 'file:t2', 'pipeline:p'], sees: ['sharedAgent'] },
];

describe('who sees what', () => {
  it.each(CASES)('$role $id with $grants', async ({ role, id, grants = [], sees }) => {
    const marker = `marker-${randomUUID()}`;
    const { key } = await makeKey(stand.deps, role, {
      principal_id: id,
      // The end of what it may see is told by an event that every case may see.
      grants: [...grants, `owner:${marker}`].map((resource) => ({ resource, access: 'read' as const })),
    });
    const clients = await Promise.all(servers.map((server) => connect(server, { token: key, resume: start })));
    const live = await Promise.all(servers.map((server) => connect(server, { token: key })));
    await write(stand.deps.db, 1, { name: 'file.uploaded', owner: marker, data: { marker } });
    for (const client of clients) {
      await expect.poll(() => client.events().some(({ data }) => data?.marker === marker)).toBe(true);
      const seen = client.events().flatMap(({ seq }) => ids.get(seq) ?? []);
      expect(seen).toEqual(sees);
      await client.close();
    }
    for (const client of live) {
      expect((await client.count(1))[0]?.data.marker).toBe(marker);
      await client.close();
    }
    for (const server of servers) {
      const heard = await readStream(server, { token: key, after: start, count: sees.length + 1 });
      expect(heard.flatMap(({ seq }) => ids.get(seq) ?? [])).toEqual(sees);
    }
  });
});

const FILTERS: { filters: LiveFilters; fit: Name[] }[] = [
  { filters: {}, fit: ALL },
  { filters: { task_id: 't2' }, fit: ['bobTask'] },
  { filters: { agent_id: 'a1' }, fit: ['bobAgent'] },
  { filters: { run_id: 'r2' }, fit: ['cyRun'] },
  { filters: { run_id: 'r1' }, fit: [...OF_RUN] },
  { filters: { run_id: 'r1', types: ['error'] }, fit: ['bobRunError'] },
  { filters: { run_id: 'r1', task_id: 't4' }, fit: ['bobRunTask', 'bobRunError'] },
  { filters: { pipeline_id: 'p1' }, fit: [...OF_RUN, 'bobLabelled', 'cyOther'] },
  { filters: { pipeline_id: 'p1', run_id: 'r1' }, fit: [...OF_RUN] },
  { filters: { pipeline_id: 'p1', run_id: 'r2' }, fit: [] },
  { filters: { file_id: 'f1' }, fit: ['cyFile'] },
  { filters: { file_id: 'f1', task_id: 't1' }, fit: [] },
  {
    filters: { types: ['task_update', 'error'] },
    fit: ['adaTask', 'bobTask', 'bobError', 'bobRunTask', 'bobRunError', 'bobLabelled'],
  },
  { filters: { types: ['event'] }, fit: ['bobAsked', 'bobDecided', 'cyFile', 'cyOther'] },
  { filters: { types: ['event'], names: ['file.uploaded', 'task.error'] }, fit: ['cyFile'] },
  { filters: { types: [] }, fit: [] },
  { filters: { names: ['task.error'] }, fit: ['bobError', 'bobRunError'] },
];

describe('filters', () => {
  it.each(FILTERS)('$filters', async ({ filters, fit }) => {
    const { db } = stand.deps;
    const wanted: EventFilter[] = [toEventFilter(filters)];
    const inSql = await readEvents(db, { owners: null, wanted, after: BEGINNING, limit: 100 });
    const named = (events: { id: string }[]) => events.flatMap(({ id }) => ids.get(id) ?? []);
    expect(named(inSql.events)).toEqual(fit);
    const all = await readEvents(db, { owners: null, after: BEGINNING, limit: 100 });
    const view = { owners: null, resources: new Set<string>(), wanted };
    expect(named(all.events.filter((event) => fitsView(view, event)))).toEqual(fit);
  });

  it('of no subscription at all let nothing through', async () => {
    const none = await readEvents(stand.deps.db, { owners: null, wanted: [], after: BEGINNING, limit: 100 });
    expect(none.events).toEqual([]);
  });

  it('know every name of an event under one type', () => {
    const types = [...Object.values(LIVE_TYPES), 'event'] as const;
    const names = types.flatMap((type) => toEventFilter({ types: [type] }).names ?? []);
    expect(names.toSorted()).toEqual([...EVENT_NAMES].toSorted());
  });

  it('hold for SSE too', async () => {
    const { key } = await makeKey(stand.deps, 'admin');
    for (const [query, fit] of [
      ['task_id=t2', 'bobTask'],
      ['agent_id=a1', 'bobAgent'],
      ['run_id=r2', 'cyRun'],
      ['pipeline_id=p1&names=pipeline.progress', 'bobRun'],
    ] as const) {
      const [event] = await readStream(servers[0], { token: key, query, after: start, count: 1 });
      expect(ids.get(event?.seq ?? '')).toBe(fit);
    }
  });
});

describe('pages', () => {
  it('are found by the index, however long the log is and wherever they begin', async () => {
    const { db } = stand.deps;
    await sql`
      INSERT INTO event_log (event_id, name, owner, resource, data)
      SELECT gen_random_uuid(), 'query.executed', 'long', 'file:' || n, '{}' FROM generate_series(1, 20000) AS n
    `.execute(db);
    await sql`ANALYZE event_log`.execute(db);
    const head = await eventHead(db);
    await db.connection().execute(async (one) => {
      const scans = async () => {
        await sql`SELECT pg_stat_force_next_flush()`.execute(one);
        await sql`SELECT pg_stat_clear_snapshot()`.execute(one);
        const { rows } = await sql<{ seq_scan: string }>`
          SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'event_log'`.execute(one);
        return Number(rows[0]?.seq_scan);
      };
      const before = await scans();
      for (const after of [head, BEGINNING]) {
        await readEvents(one, { owners: null, after, limit: 200, scan: 2_000 });
        await readEvents(one, { owners: ['nobody'], resources: ['run:r1'], after, limit: 200, scan: 2_000 });
      }
      await positionBack(one, 2_000);
      await findGap(one, head);
      expect(await scans()).toBe(before);
    });
  });

  it('end where the scan ended when nothing on the way fits, and lose nothing', async () => {
    const { db } = stand.deps;
    const wanted = [toEventFilter({ file_id: 'f1' })];
    let after = BEGINNING;
    const found: string[] = [];
    for (let more = true; more; ) {
      const page = await readEvents(db, { owners: null, wanted, after, limit: 2, scan: 3 });
      found.push(...page.events.map(({ id }) => id));
      ({ upTo: after, more } = page);
    }
    expect(found.map((id) => ids.get(id))).toEqual(['cyFile']);
  });
});
