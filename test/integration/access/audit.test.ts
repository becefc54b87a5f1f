/** The audit log as an admin reads it: each filter, all of them together, and pages under each. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApi } from '../../../src/api/app.ts';
import { operations } from '../../../src/operations/index.ts';
import { door, makeKey, openStand, type Stand } from '../api/stand.ts';

let stand: Stand;
let read: (query: string) => Promise<{ status: number; body: { items: Entry[]; next_cursor: string | null } }>;
interface Entry {
  audit_id: string;
  at: string;
  principal_id: string | null;
  operation: string;
  resource: string | null;
  outcome: string;
}

/** One entry an hour from midnight of 2 May 2026 on. */
const ENTRIES = Array.from({ length: 24 }, (_none, hour) => ({
  at: new Date(Date.UTC(2026, 4, 2, hour)),
  principal_id: hour % 2 === 0 ? 'ada' : 'id.example|bob',
  role: 'developer' as const,
  key_id: null,
  operation: hour % 3 === 0 ? 'tasks.submit' : 'keys.create',
  resource: hour % 4 === 0 ? null : `task:${hour % 4}`,
  outcome: ['ok', 'forbidden', 'not_found'][hour % 5] ?? 'ok',
  request_id: null,
  address: null,
}));

beforeAll(async () => {
  stand = await openStand();
  await stand.deps.db.insertInto('audit_log').values(ENTRIES).execute();
  const api = createApi({ ...door(stand.deps), operations });
  const { key } = await makeKey(stand.deps, 'admin');
  read = async (query) => {
    const response = await api.request(`/api/v1/audit?${query}`, { headers: { authorization: `Bearer ${key}` } });
    return { status: response.status, body: (await response.json()) as never };
  };
});
afterAll(() => stand.close());

type Kept = (entry: (typeof ENTRIES)[number]) => boolean;
const noon = new Date(Date.UTC(2026, 4, 2, 12));
const filters: [string, Kept][] = [
  ['', () => true],
  ['principal_id=ada', (entry) => entry.principal_id === 'ada'],
  ['principal_id=id.example%7Cbob', (entry) => entry.principal_id !== 'ada'],
  ['operation=tasks.submit', (entry) => entry.operation === 'tasks.submit'],
  ['resource=task:2', (entry) => entry.resource === 'task:2'],
  ['outcome=ok', (entry) => entry.outcome === 'ok'],
  ['outcome=not_found', (entry) => entry.outcome === 'not_found'],
  ['outcome=failed', (entry) => entry.outcome !== 'ok'],
  ['from=2026-05-02T12:00:00Z', (entry) => entry.at >= noon],
  ['to=2026-05-02T12:00:00Z', (entry) => entry.at < noon],
  ['from=2026-05-02T14:00:00%2B02:00&to=2026-05-02T13:00:00Z', (entry) => entry.at.getTime() === noon.getTime()],
  [
    'principal_id=ada&operation=keys.create&outcome=ok&from=2026-05-02T04:00:00Z&to=2026-05-02T20:00:00Z',
    (entry) =>
      entry.principal_id === 'ada' &&
      entry.operation === 'keys.create' &&
      entry.outcome === 'ok' &&
      entry.at.getUTCHours() >= 4 &&
      entry.at.getUTCHours() < 20,
  ],
];

describe('the audit log', () => {
  it.each(filters)('with %j gives those entries, newest first, in pages too', async (query, keeps) => {
    const expected = ENTRIES.filter(keeps)
      .map((entry) => entry.at.toISOString())
      .reverse();
    expect(expected.length).toBeGreaterThan(0);
    const seen: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const { status, body } = await read(`${query}&limit=3${cursor === '' ? '' : `&cursor=${cursor}`}`);
      expect(status).toBe(200);
      seen.push(...body.items.map((entry) => entry.at));
      cursor = body.next_cursor;
    }
    expect(seen).toEqual(expected);
  });

  it.each(['outcome=perhaps', 'from=yesterday', 'to=2026-05-02', 'cursor=nonsense', 'limit=0'])(
    'refuses %s',
    async (query) => {
      expect((await read(query)).status).toBe(400);
    },
  );
});
