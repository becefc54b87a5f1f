/** The story of the program: every sample comes in, is told of, is found again, is shared, kept apart and taken out. */
import { basename } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { zipOf } from '../parsers/helpers.ts';
import { type System, untilOver, upload } from '../support/system.ts';
import {
  caller,
  deleteFile,
  EVERY_BATCH,
  exportOf,
  openStage,
  pauseHeld,
  readStream,
  type SeenEvent,
  type Stage,
  sample,
  seenBy,
  slackMessages,
  until,
} from './outside.ts';

/** What each sample holds, counted by hand from its lines and lists. */
const EXPECTED: Record<string, Record<string, number>> = {
  'gong/calls.csv': { call_metadata: 5, insights: 5 },
  'gong/calls.json': { call_metadata: 5, insights: 41 },
  'gong/transcripts.json': { transcript: 16 },
  'hubspot/calls.json': { activity: 2 },
  'hubspot/contacts.json': { contact: 2 },
  'hubspot/emails.json': { activity: 1 },
  'hubspot/hubspot-crm-exports-all-companies.csv': { company: 8 },
  'hubspot/hubspot-crm-exports-all-contacts.csv': { contact: 8 },
  'hubspot/hubspot-crm-exports-all-deals.csv': { deal: 8 },
  'hubspot/meetings.json': { activity: 1 },
  'hubspot/notes.json': { activity: 2 },
  'hubspot/tasks.json': { activity: 1 },
  'looker/bookings-by-month.json': { query_result: 3 },
  'looker/dashboard-fleet.json': { dashboard: 1, visualization: 3 },
  'looker/dashboard-pipeline.json': { dashboard: 1, visualization: 3 },
  'looker/dashboard-support.json': { dashboard: 1, visualization: 2 },
  'looker/quarterly-review.pdf': { dashboard: 3 },
  'looker/sensor-fleet.csv': { query_result: 5 },
  'looker/support-load.json': { query_result: 5 },
  'salesforce/Account.csv': { account: 8 },
  'salesforce/Contact.csv': { contact: 8 },
  'salesforce/leads.csv': { lead: 5 },
  'salesforce/opportunities-report.csv': { opportunity: 8 },
  'salesforce/query-accounts.json': { account: 3, contact: 3 },
  'slack/brightwater-export.zip': { user: 13, channel: 9, message: 412, file: 2 },
  'slack/support.json': { message: 7 },
};
const PATHS = Object.keys(EXPECTED);

/** The fields of each event, as their readers know them. */
const FIELDS: Record<string, string[]> = {
  'file.uploaded': ['file_id', 'filename', 'size_bytes', 'source_type', 'user_id'],
  'file.validation.completed': ['errors', 'file_id', 'valid'],
  'processing.started': ['estimated_duration_ms', 'file_id', 'parser_type'],
  'processing.progress': ['file_id', 'progress_percent', 'records_processed'],
  'processing.completed': ['file_id', 'processing_time_ms', 'total_records', 'vector_count'],
};

const sourceOf = (path: string) => path.split('/')[0] ?? '';

let stage: Stage;
let system: System;
const files = new Map<string, { file_id: string; total_records: number; sha256: string }>();

beforeAll(async () => {
  stage = await openStage();
  system = stage.system();
}, 240_000);
afterAll(() => stage?.close(), 60_000);

async function bring(as: System, source: string, name: string, content: Uint8Array, headers = {}): Promise<string> {
  const { status, body } = await upload(as, source, name, content, headers);
  expect(status, JSON.stringify(body)).toBe(202);
  return body.file_id;
}

describe('the samples', () => {
  test('every file of the five sources completes with what it holds', { timeout: 120_000 }, async () => {
    const ids = await Promise.all(
      PATHS.map(async (path) => [path, await bring(system, sourceOf(path), basename(path), sample(path))] as const),
    );
    for (const [path, id] of ids) {
      const file = await untilOver(system, id);
      expect([path, file.status, file.records_by_type]).toEqual([path, 'completed', EXPECTED[path]]);
      const total = Object.values(EXPECTED[path] ?? {}).reduce((sum, count) => sum + count, 0);
      expect(file).toMatchObject({
        filename: basename(path),
        source_type: sourceOf(path),
        size_bytes: sample(path).length,
        phase: 'completed',
        progress: 100,
        total_records: total,
        vector_count: total,
        error_count: 0,
        errors: [],
        error: null,
      });
      files.set(path, file);
    }
    const truth = await stage.truth();
    expect(truth.objects).toEqual([...files.values()].map((file) => `uploads/${file.file_id}`).sort());
    expect(truth.vectors).toEqual([...truth.rows].sort());
    expect(truth.links).toBe([...files.values()].reduce((sum, file) => sum + file.total_records, 0));
  });

  test('the event stream tells each file in order, with exactly the fields it should', async () => {
    const done = (events: SeenEvent[]) =>
      events.filter((event) => event.name === 'processing.completed').length === PATHS.length;
    const events = await readStream(system, '?after=0', done);
    expect(new Set(events.map((event) => event.id)).size).toBe(events.length);
    for (const [path, { file_id, total_records }] of files) {
      const own = events.filter((event) => event.data.file_id === file_id);
      const names = own.map((event) => event.name);
      const progress = own.filter((event) => event.name === 'processing.progress');
      expect(names, path).toEqual([
        'file.uploaded',
        'file.validation.completed',
        'processing.started',
        ...progress.map(() => 'processing.progress'),
        'processing.completed',
      ]);
      expect(progress.length, path).toBeGreaterThan(0);
      for (const { name, data } of own) expect(Object.keys(data).sort(), `${path} ${name}`).toEqual(FIELDS[name]);
      expect(own[0]?.data).toMatchObject({ filename: basename(path), source_type: sourceOf(path) });
      expect(own[1]?.data).toMatchObject({ valid: true, errors: [] });
      const percents = progress.map((event) => Number(event.data.progress_percent));
      expect(percents, path).toEqual([...percents].sort((a, b) => a - b));
      const processed = progress.map((event) => Number(event.data.records_processed));
      expect(processed, path).toEqual([...processed].sort((a, b) => a - b));
      expect(own.at(-1)?.data).toMatchObject({ total_records, vector_count: total_records });
    }
    expect(events.every((event) => PATHS.some((path) => files.get(path)?.file_id === event.data.file_id))).toBe(true);
  });

  test('a cut stream goes on behind the last event that was read', async () => {
    const done = (events: SeenEvent[]) =>
      events.filter((event) => event.name === 'processing.completed').length === PATHS.length;
    const whole = await readStream(system, '?after=0', done);
    const read: SeenEvent[] = [];
    for (const cut of [1, 7, 20]) {
      const last = read.at(-1)?.id;
      const more = await readStream(
        system,
        '?after=0',
        (events) => events.length === cut,
        last === undefined ? {} : { 'last-event-id': last },
      );
      read.push(...more);
    }
    const rest = await readStream(system, '?after=0', (events) => events.length === whole.length - read.length, {
      'last-event-id': read.at(-1)?.id ?? '',
    });
    expect([...read, ...rest].map((event) => event.id)).toEqual(whole.map((event) => event.id));
  });

  test("a file's records come page by page, each once", async () => {
    const file = files.get('slack/brightwater-export.zip');
    const seen: string[] = [];
    let cursor: string | null = null;
    let pages = 0;
    do {
      const query = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const { status, body } = await system.call('GET', `/api/v1/files/${file?.file_id}/records?limit=100${query}`);
      expect(status).toBe(200);
      expect(body.truncated).toBe(body.next_cursor !== null);
      seen.push(...body.items.map((item: { id: string }) => item.id));
      cursor = body.next_cursor;
      pages++;
    } while (cursor !== null);
    expect(pages).toBe(5);
    expect(new Set(seen).size).toBe(436);
    const linked = await stage.rows<{ record_id: string }>('SELECT record_id FROM file_records WHERE file_id = $1', [
      file?.file_id,
    ]);
    expect([...seen].sort()).toEqual(linked.map((row) => row.record_id).sort());
    const users = await system.call('GET', `/api/v1/files/${file?.file_id}/records?content_type=user`);
    expect(users.body.items).toHaveLength(13);
  });

  test('a question finds them, with a link to the record and its file', async () => {
    const { status, body } = await system.call('POST', '/api/v1/query', {
      query: 'turbidity sensors raise false alarms',
      sources: ['slack'],
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({ cache_hit: false, query_id: expect.any(String), mode: 'hybrid' });
    const [first] = body.results;
    expect(first.text).toContain('Alder Bay Utilities is angry');
    expect(first.highlights).toContain('<mark>');
    const record = await system.call('GET', first.links.record);
    expect(record.body).toMatchObject({ id: first.id, text: first.text });
    expect((await system.call('GET', first.links.file)).status).toBe(200);
    const [event] = await readStream(system, '?after=0&names=query.executed', (events) => events.length === 1);
    expect(Object.keys(event?.data ?? {}).sort()).toEqual([
      'cache_hit',
      'query_id',
      'query_text',
      'response_time_ms',
      'result_count',
      'sources',
    ]);
    expect(event?.data).toMatchObject({ query_id: body.query_id, result_count: body.result_count });
  });
});

describe('the context document', () => {
  const PATH = '/api/v1/context/data_ingestion';

  test('is one from two API processes, while nothing runs and while a file does', { timeout: 90_000 }, async () => {
    const { system: other, stop } = await stage.secondApi();
    const idle = await system.call('GET', PATH);
    expect(idle.body.workflow_state).toEqual({
      current_phase: 'idle',
      active_files: [],
      processing_queue: { pending: 0, processing: 0, completed: PATHS.length },
    });
    expect((await other.call('GET', PATH)).body).toEqual(idle.body);
    const truth = await stage.truth();
    expect(idle.body.storage_metrics).toMatchObject({
      postgres: { total_records: truth.rows.size },
      weaviate: { total_vectors: truth.rows.size, dimensions: 64, collections: ['DataContent'] },
      s3: { total_files: PATHS.length, bucket: 'orchestra-data-ingestion' },
    });

    const id = await bring(system, 'slack', 'large.zip', await exportOf(20_000, 'context'));
    await until(async () => (await system.call('GET', `/api/v1/files/${id}`)).body.total_records > 0);
    const active = await other.call('GET', PATH);
    expect(active.body.workflow_state.active_files).toMatchObject([{ file_id: id, status: 'processing' }]);
    expect(active.body.workflow_state.processing_queue).toMatchObject({ pending: 0, processing: 1 });
    expect((await pauseHeld(stage, id, EVERY_BATCH)).body.status).toBe('paused');
    const [here, there] = await Promise.all([system.call('GET', PATH), other.call('GET', PATH)]);
    expect(here.body.workflow_state).toMatchObject({
      current_phase: 'processing',
      active_files: [{ file_id: id, filename: 'large.zip', source_type: 'slack', status: 'paused' }],
      processing_queue: { pending: 1, processing: 0, completed: PATHS.length },
    });
    expect(there.body).toEqual(here.body);
    // What one process did another tells at once: its own memory holds nothing of it.
    await deleteFile(other, id);
    const after = await system.call('GET', PATH);
    expect(after.body.workflow_state).toEqual(idle.body.workflow_state);
    expect(after.body.storage_metrics.postgres.total_records).toBe(truth.rows.size);
    expect((await other.call('GET', PATH)).body).toEqual(after.body);
    await stop();
  });
});

describe('the same bytes', () => {
  const content = slackMessages([['1735725600.000100', 'the same bytes'] as const].map(([ts, text]) => [ts, text]));

  test('are the same file for the same owner and source, until it failed or was deleted', async () => {
    const first = await bring(system, 'slack', 'same.json', content);
    const again = await upload(system, 'slack', 'other-name.json', content);
    expect([again.status, again.body]).toEqual([200, expect.objectContaining({ file_id: first, duplicate: true })]);
    await untilOver(system, first);
    const later = await upload(system, 'slack', 'same.json', content);
    expect([later.status, later.body]).toEqual([
      200,
      expect.objectContaining({ file_id: first, duplicate: true, status: 'completed' }),
    ]);

    const analyst = await caller(system, 'analyst');
    const theirs = await bring(analyst, 'slack', 'same.json', content);
    expect(theirs).not.toBe(first);
    expect(await untilOver(analyst, theirs)).toMatchObject({ status: 'completed', total_records: 1 });

    await deleteFile(system, first);
    const second = await bring(system, 'slack', 'same.json', content);
    expect(second).not.toBe(first);
    expect(await untilOver(system, second)).toMatchObject({ status: 'completed', total_records: 1 });
    expect(await untilOver(analyst, theirs)).toMatchObject({ status: 'completed', total_records: 1 });
    await deleteFile(system, second);
    await deleteFile(analyst, theirs);
    const left = await stage.rows(`SELECT 1 FROM parsed_content WHERE text LIKE '%the same bytes%'`);
    expect(left).toEqual([]);
  });

  test('of a file that failed make a new one', async () => {
    const bad = Buffer.from('[{"nothing":"that Slack exports"}]');
    const first = await bring(system, 'slack', 'bad.json', bad);
    expect(await untilOver(system, first)).toMatchObject({ status: 'failed' });
    const second = await bring(system, 'slack', 'bad.json', bad);
    expect(second).not.toBe(first);
    await untilOver(system, second);
  });

  test('sent eight times at once are one file', async () => {
    const many = slackMessages([['1735725600.000200', 'eight at once']]);
    const answers = await Promise.all(Array.from({ length: 8 }, () => upload(system, 'slack', 'eight.json', many)));
    expect(new Set(answers.map((answer) => answer.body.file_id)).size).toBe(1);
    expect(answers.map((answer) => answer.status).sort()).toEqual([...Array(7).fill(200), 202]);
    const id = answers[0]?.body.file_id;
    await untilOver(system, id);
    expect((await stage.truth()).objects.filter((key) => key.startsWith('uploads/')).length).toBe(PATHS.length + 1);
    await deleteFile(system, id);
  });

  test('an Idempotency-Key leads to the same file with the same body, and is refused with another', async () => {
    const headers = { 'idempotency-key': 'the-one' };
    const one = slackMessages([['1735725600.000300', 'one']]);
    const first = await bring(system, 'slack', 'one.json', one, headers);
    const again = await upload(system, 'slack', 'one.json', one, headers);
    expect([again.status, again.body.file_id]).toEqual([200, first]);
    const other = await upload(system, 'slack', 'one.json', slackMessages([['1735725600.000400', 'two']]), headers);
    expect([other.status, other.body.code]).toEqual([409, 'idempotency_mismatch']);
    expect(other.headers.get('content-type')).toContain('application/problem+json');
    // A key that met bytes which were here already leads to them from then on.
    const met = { 'idempotency-key': 'met' };
    for (const _time of ['first', 'again']) {
      const answer = await upload(system, 'slack', 'one.json', one, met);
      expect([answer.status, answer.body.file_id]).toEqual([200, first]);
    }
    // Another principal's key of the same name is another key.
    const analyst = await caller(system, 'analyst');
    const theirs = await bring(analyst, 'slack', 'two.json', slackMessages([['1735725600.000400', 'two']]), headers);
    await untilOver(system, first);
    await untilOver(analyst, theirs);
    await deleteFile(system, first);
    await deleteFile(analyst, theirs);
  });
});

describe('two exports of one workspace that overlap', () => {
  const TEAM = 'T0OVERLAP1';
  const users = JSON.stringify([
    { id: 'U0OVERLAP1', team_id: TEAM, name: 'ada', profile: { real_name: 'Ada Example', team: TEAM } },
  ]);
  const channels = JSON.stringify([
    { id: 'C0OVERLAP1', name: 'general', created: 1735689600, members: ['U0OVERLAP1'] },
  ]);
  const day = (date: string, at: number, count: number) =>
    [
      `general/${date}.json`,
      JSON.stringify(
        Array.from({ length: count }, (_, i) => ({
          type: 'message',
          user: 'U0OVERLAP1',
          team: TEAM,
          ts: `${at + i}.000100`,
          text: `overlap ${date} ${i}`,
        })),
      ),
    ] as const;
  const january = day('2025-01-01', 1_735_725_600, 10);
  const february = day('2025-02-01', 1_738_404_000, 5);
  const march = day('2025-03-01', 1_740_823_200, 3);
  const records = async () =>
    stage.rows<{ record_id: string }>(
      `SELECT record_id FROM parsed_content WHERE account = $1 OR text LIKE 'overlap %'`,
      [TEAM],
    );

  test('share their records; deleting one keeps the shared ones, deleting both leaves nothing', async () => {
    const before = await stage.truth();
    const lists = { 'users.json': users, 'channels.json': channels };
    const first = await bring(
      system,
      'slack',
      'one.zip',
      await zipOf({ ...lists, ...Object.fromEntries([january, february]) }),
    );
    const second = await bring(
      system,
      'slack',
      'two.zip',
      await zipOf({ ...lists, ...Object.fromEntries([february, march]) }),
    );
    expect(await untilOver(system, first)).toMatchObject({ status: 'completed', total_records: 17 });
    expect(await untilOver(system, second)).toMatchObject({ status: 'completed', total_records: 10 });
    // One user, one channel, 18 messages.
    const both = await records();
    expect(both).toHaveLength(20);
    const of = async (id: string) => {
      const { body } = await system.call('GET', `/api/v1/files/${id}/records?limit=200`);
      return new Set<string>(body.items.map((item: { id: string }) => item.id));
    };
    const [inFirst, inSecond] = [await of(first), await of(second)];
    expect([...inFirst].filter((id) => inSecond.has(id))).toHaveLength(7);

    await deleteFile(system, first);
    expect(new Set((await records()).map((row) => row.record_id))).toEqual(inSecond);
    const kept = await stage.truth();
    expect(kept.vectors.length - before.vectors.length).toBe(10);
    const found = await system.call('POST', '/api/v1/query', { query: '"overlap 2025-02-01 4"', mode: 'keyword' });
    expect(found.body.result_count).toBe(1);
    const gone = await system.call('POST', '/api/v1/query', { query: '"overlap 2025-01-01 4"', mode: 'keyword' });
    expect(gone.body.result_count).toBe(0);

    await deleteFile(system, second);
    expect(await stage.truth()).toEqual(before);
  });
});

describe('owners', () => {
  let ada: System & { id: string };
  let ben: System & { id: string };
  let viewer: System;
  let file: { file_id: string; workflow_id: string };

  beforeAll(async () => {
    ada = await caller(system, 'analyst');
    ben = await caller(system, 'analyst');
    viewer = await caller(system, 'viewer');
    const id = await bring(ada, 'slack', 'ada.json', slackMessages([['1735725600.000500', 'zanzibar of ada']]));
    file = await untilOver(ada, id);
  });

  test('do not see each other', async () => {
    for (const path of [
      `/api/v1/files/${file.file_id}`,
      `/api/v1/files/${file.file_id}/records`,
      `/api/v1/workflows/${file.workflow_id}`,
      `/api/v1/workflows/${file.workflow_id}/wait`,
    ]) {
      expect([path, (await ada.call('GET', path)).status]).toEqual([path, 200]);
      expect([path, (await ben.call('GET', path)).status]).toEqual([path, 404]);
    }
    for (const [method, path] of [
      ['DELETE', `/api/v1/files/${file.file_id}`],
      ['POST', `/api/v1/files/${file.file_id}/retry`],
      ['POST', `/api/v1/files/${file.file_id}/cancel`],
      ['POST', `/api/v1/workflows/${file.workflow_id}/cancel`],
    ] as const) {
      expect([path, (await ben.call(method, path)).status]).toEqual([path, 404]);
    }
    const listed = async (who: System, path: string) => (await who.call('GET', path)).body.items.length;
    expect(await listed(ada, '/api/v1/files')).toBe(1);
    expect(await listed(ben, '/api/v1/files')).toBe(0);
    expect(await listed(ada, '/api/v1/workflows')).toBe(1);
    expect(await listed(ben, '/api/v1/workflows')).toBe(0);
    for (const mode of ['keyword', 'semantic', 'hybrid']) {
      const ask = { query: 'zanzibar', mode };
      const own = (await ada.call('POST', '/api/v1/query', ask)).body;
      const others = (await ben.call('POST', '/api/v1/query', ask)).body;
      expect([mode, own.result_count, others.result_count]).toEqual([mode, 1, 0]);
      const record = own.results[0].links.record;
      expect((await ada.call('GET', record)).status).toBe(200);
      expect((await ben.call('GET', record)).status).toBe(404);
    }
    const suggestions = await ben.call('GET', '/api/v1/query/suggestions?q=zanz');
    // His own question only, asked three times.
    expect(suggestions.body.suggestions).toEqual(['zanzibar']);
    const context = await ben.call('GET', '/api/v1/context/data_ingestion');
    expect(context.body.storage_metrics.postgres.total_records).toBe(0);
    const events = await readStream(ada, '?after=0', (seen) => seen.at(-1)?.name === 'processing.completed');
    expect(events.every((event) => event.data.file_id === file.file_id)).toBe(true);
  });

  test('a viewer reads and cannot upload; without a key nobody does anything', async () => {
    const refused = await upload(viewer, 'slack', 'v.json', slackMessages([['1735725600.000600', 'v']]));
    expect([refused.status, refused.body.code]).toEqual([403, 'forbidden']);
    const imported = await viewer.call('POST', '/api/v1/files/import', { source_type: 'slack', content: '[]' });
    expect(imported.status).toBe(403);
    expect((await viewer.call('GET', '/api/v1/files')).body.items).toEqual([]);
    expect((await viewer.call('GET', '/api/v1/keys')).status).toBe(403);
    expect((await seenBy(system, 'ost_not-a-key').call('GET', '/api/v1/files')).status).toBe(401);
  });
});
