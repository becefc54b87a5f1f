/** Commands against an API: answers, error texts, exit codes. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FILE_ID, fileView, type Handler, json, KEY, placeOfEachTest, problem, readBody, runCli } from './fake-api.ts';

const place = placeOfEachTest();
const { serve } = place;

const page = (items: unknown[], next: string | null = null) => ({ items, next_cursor: next, truncated: next !== null });
const answering = (status: number, code: string, detail: string, errors: unknown[] = []): Handler => {
  return (_request, response) => problem(response, status, code, detail, errors);
};

describe('exit codes', () => {
  test.each([
    [400, 'invalid_input', 2],
    [401, 'unauthenticated', 4],
    [403, 'forbidden', 4],
    [404, 'not_found', 5],
    [409, 'conflict', 1],
    [422, 'wrong_type', 1],
    [429, 'too_many_requests', 3],
    [502, 'fetch_failed', 1],
    [503, 'unavailable', 3],
    [500, 'internal', 1],
  ])('HTTP %i %s ends with %i', async (status, code, exit) => {
    const target = await serve({ 'GET /api/v1/files': answering(status, code, 'This is what happened') });
    const ran = await runCli(['files', ...target]);
    expect(ran.exit).toBe(exit);
    expect(ran.stdout).toBe('');
    expect(ran.stderr).toContain(`This is what happened [${code}, GET /api/v1/files]`);
    expect(ran.stderr.trim().split('\n').length).toBeLessThanOrEqual(2);
  });

  test.each([
    [['ingest', '--source', 'slack'], /missing required argument/],
    [['ingest', 'x'], /--source/],
    [['ingest', 'x', '--source', 'email'], /Allowed choices are slack, gong/],
    [['ingest', 'x', '--source', 'slack', '-m', 'novalue'], /KEY=VALUE/],
    [['nonsense'], /unknown command/],
    [['search', 'x', '--limit', '0'], /whole number from 1 to 100/],
    [['search', 'x', '--source', 'slack,email'], /Allowed are slack/],
    [['search', 'x', '--url', 'nowhere', '--key', 'k'], /not an address/],
    [['files', 'show', '*', '--key', 'k'], /no id of a file/],
    [['keys', 'revoke', '*', '--key', 'k'], /no id of a key/],
    [['credentials', 'delete', '*', '--key', 'k'], /no id of a credential/],
    [['agents', 'show', '*', '--key', 'k'], /no id of an agent/],
    [['tasks', 'show', '*', '--key', 'k'], /no id of a task/],
    [['pipelines', 'status', '*', '--key', 'k'], /no id of a run/],
    [['approvals', 'approve', '*', '--key', 'k'], /no id of an approval/],
    [['notifications', 'replay', '*', '--key', 'k'], /no id of a notification/],
  ])('wrong usage %j ends with 2', async (argv, message) => {
    const ran = await runCli(argv);
    expect(ran.exit).toBe(2);
    expect(ran.stderr).toMatch(message);
  });

  test('a faulty setting is named and ends with 2', async () => {
    const ran = await runCli(['files'], { env: { SERVER_PORT: 'many' } });
    expect(ran.exit).toBe(2);
    expect(ran.stderr).toMatch(/setting SERVER_PORT: /);
  });

  test('no API ends with 3 and says how to start it', async () => {
    const target = await serve({});
    await place.api.close();
    const ran = await runCli(['files', ...target]);
    expect(ran.exit).toBe(3);
    expect(ran.stderr).toMatch(/does not answer \(connection refused\)\n {2}Start it with `npm start`/);
  });

  test('something else behind the address ends with 3', async () => {
    const target = await serve({ 'GET /api/v1/files': (_request, response) => void response.end('<html>hello') });
    const ran = await runCli(['files', ...target]);
    expect(ran.exit).toBe(3);
    expect(ran.stderr).toMatch(/does not speak this API: its answer is not JSON/);
  });

  test('an interrupted request ends with 130', async () => {
    const interrupt = new AbortController();
    const target = await serve({ 'GET /api/v1/files': () => interrupt.abort() });
    const ran = await runCli(['files', ...target], { signal: interrupt.signal });
    expect(ran.exit).toBe(130);
  });

  test('help lists the codes and ends with 0', async () => {
    const ran = await runCli(['files', '--help']);
    expect(ran.exit).toBe(0);
    expect(ran.stdout).toMatch(/Exit codes:\n {2}0 +done\n/);
  });
});

test('field faults of a refusal stand in the second line', async () => {
  const errors = [{ path: 'from', message: 'Invalid ISO date' }];
  const target = await serve({
    'POST /api/v1/query': answering(400, 'invalid_input', 'The input is not valid', errors),
  });
  const ran = await runCli(['search', 'x', '--from', 'soon', ...target]);
  expect(ran.stderr).toBe(
    'ostinato: The input is not valid [invalid_input, POST /api/v1/query]\n  from: Invalid ISO date\n',
  );
});

test('terminal control characters from outside never reach the terminal', async () => {
  const target = await serve({
    [`GET /api/v1/files/${FILE_ID}`]: (_request, response) =>
      json(response, 200, fileView({ filename: 'a\u001b]0;owned\u0007\u009b31m.zip' })),
  });
  const ran = await runCli(['files', 'show', FILE_ID, ...target], { terminal: 100 });
  expect(ran.stdout).toContain('a ]0;owned 31m.zip');
  const piped = await runCli(['files', 'show', FILE_ID, ...target]);
  expect(piped.stdout).toContain('\\u009b31m');
  expect(piped.lines[0]?.filename).toBe('a\u001b]0;owned\u0007\u009b31m.zip');
});

describe('the key', () => {
  const routes: Record<string, Handler> = {
    'GET /api/v1/files': (_request, response) => json(response, 200, page([])),
  };

  test('comes from OSTINATO_API_KEY, then API_KEY, then the file of the first start', async () => {
    const [, url = ''] = await serve(routes);
    const wrong = 'a-key-that-is-wrong';
    const first = await runCli(['files'], { env: { OSTINATO_URL: url, OSTINATO_API_KEY: KEY, API_KEY: wrong } });
    expect(first.exit).toBe(0);
    const second = await runCli(['files'], { env: { OSTINATO_URL: url, API_KEY: KEY } });
    expect(second.exit).toBe(0);
    writeFileSync(join(place.folder, 'admin-key'), `${KEY}\n`);
    const third = await runCli(['files'], { env: { OSTINATO_URL: url, DATA_DIR: place.folder } });
    expect(third.exit).toBe(0);
    const option = await runCli(['files', '--key', wrong], { env: { OSTINATO_URL: url, OSTINATO_API_KEY: KEY } });
    expect(option.exit).toBe(4);
    expect(option.stderr).toContain('Give a valid key with --key');
  });

  test('of this machine is not sent to another', async () => {
    writeFileSync(join(place.folder, 'admin-key'), KEY);
    const ran = await runCli(['files', '--url', 'http://elsewhere.example:8080'], { env: { DATA_DIR: place.folder } });
    expect(ran.exit).toBe(4);
    expect(ran.stderr).toContain('No API key for http://elsewhere.example:8080');
  });

  test('that is nowhere ends with 4 and says where it was looked for', async () => {
    const ran = await runCli(['files'], { env: { DATA_DIR: place.folder } });
    expect(ran.exit).toBe(4);
    expect(ran.stderr).toContain(join(place.folder, 'admin-key'));
  });
});

describe('lists', () => {
  const second = 'c1d2e3f4-0000-4000-8000-000000000002';
  const pages: Handler = (_request, response, url) =>
    url.searchParams.get('cursor') === 'next'
      ? json(response, 200, page([fileView({ file_id: second })]))
      : json(response, 200, page([fileView()], 'next'));

  test('are JSON lines when piped, with the place to go on', async () => {
    const target = await serve({ 'GET /api/v1/files': pages });
    const ran = await runCli(['files', 'list', '--status', 'completed', ...target]);
    expect(ran.lines).toEqual([
      { kind: 'file', ...fileView() },
      { kind: 'page', next_cursor: 'next', truncated: true },
    ]);
    expect(place.api.requests).toEqual(['GET /api/v1/files?status=completed']);
  });

  test('go to the end with --all', async () => {
    const target = await serve({ 'GET /api/v1/files': pages });
    const ran = await runCli(['files', '--all', ...target]);
    expect(ran.lines.map((line) => line.file_id)).toEqual([FILE_ID, second]);
  });

  test('are tables on a terminal, with ids that commands take', async () => {
    const target = await serve({
      'GET /api/v1/files': pages,
      [`GET /api/v1/files/${second}`]: (_request, response) => json(response, 200, fileView({ file_id: second })),
    });
    const narrow = await runCli(['files', '--all', ...target], { terminal: 80 });
    const [title = '', row = ''] = narrow.stdout.split('\n');
    expect(title).toMatch(/^FILE +STATUS +% +SOURCE +RECORDS +CREATED +NAME/);
    expect(row).toMatch(/^0b8f6f0a {2}completed {2}100/);
    expect(Math.max(...narrow.stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    const wide = await runCli(['files', '--all', ...target], { terminal: 160 });
    expect(wide.stdout).toContain(FILE_ID);
    const shown = await runCli(['files', 'show', 'c1d2e3f4', ...target]);
    expect(shown.lines[0]?.file_id).toBe(second);
    const unknown = await runCli(['files', 'show', 'ffff', ...target]);
    expect(unknown.exit).toBe(5);
  });

  test('piped tables on request cut nothing', async () => {
    const target = await serve({
      'GET /api/v1/files': (_request, response) => json(response, 200, page([fileView({ filename: 'n'.repeat(300) })])),
    });
    const ran = await runCli(['files', '--table', ...target]);
    expect(ran.stdout).toContain(FILE_ID);
    expect(ran.stdout).toContain('n'.repeat(300));
    expect(ran.stdout).toContain('2026-03-01T10:00:00.000Z');
  });
});

test('controls post to their verb', async () => {
  const verbs = ['cancel', 'pause', 'resume', 'retry'];
  const target = await serve(
    Object.fromEntries(
      verbs.map((verb): [string, Handler] => [
        `POST /api/v1/files/${FILE_ID}/${verb}`,
        (_request, response) => json(response, 200, fileView({ status: 'paused' })),
      ]),
    ),
  );
  for (const verb of verbs) {
    const ran = await runCli(['files', verb, FILE_ID, ...target]);
    expect(ran.exit).toBe(0);
    expect(ran.lines[0]).toMatchObject({ kind: 'file', status: 'paused' });
  }
  expect(place.api.requests).toEqual(verbs.map((verb) => `POST /api/v1/files/${FILE_ID}/${verb}`));
});

test('delete tells the workflow that does it', async () => {
  const target = await serve({
    [`DELETE /api/v1/files/${FILE_ID}`]: (_request, response) =>
      json(response, 202, { file_id: FILE_ID, workflow_id: 'delete-1' }),
  });
  const ran = await runCli(['files', 'delete', FILE_ID, ...target]);
  expect(ran.lines).toEqual([{ kind: 'deletion', file_id: FILE_ID, workflow_id: 'delete-1' }]);
});

describe('search', () => {
  const answer = {
    query_id: '11111111-1111-4111-8111-111111111111',
    results: [
      {
        id: '22222222-2222-4222-8222-222222222222',
        source_type: 'slack',
        content_type: 'message',
        title: null,
        text: 'The gateway & its certificate expired',
        highlights: 'The <mark>gateway</mark> &amp; its certificate expired',
        score: 0.5,
        author: 'Ada Example',
        occurred_at: '2026-02-11T09:00:00.000Z',
        url: null,
        links: { record: '/api/v1/records/22222222-2222-4222-8222-222222222222', file: null },
      },
    ],
    result_count: 1,
    total: 1,
    total_is_exact: true,
    next_cursor: null,
    response_time_ms: 4.2,
    cache_hit: true,
    mode: 'hybrid',
    notice: null,
    interpreted: {
      text: 'gateway',
      from: '2026-02-01T00:00:00.000Z',
      to: '2026-03-01T00:00:00.000Z',
      phrase: 'in February 2026',
    },
  };

  test('sends what was asked, in words and filters', async () => {
    let body: unknown;
    const target = await serve({
      'POST /api/v1/query': async (request, response) => {
        body = await readBody(request);
        json(response, 200, answer);
      },
    });
    const filters = ['--mode', 'keyword', '-s', 'slack', '-s', 'gong', '-t', 'message', '--from', '2026-01-01'];
    const ran = await runCli(['search', 'the', 'gateway', ...filters, '--author', 'Ada Example', '-n', '3', ...target]);
    expect(body).toEqual({
      query: 'the gateway',
      sources: ['slack', 'gong'],
      content_types: ['message'],
      mode: 'keyword',
      from: '2026-01-01',
      author: 'Ada Example',
      limit: 3,
    });
    const { results, ...summary } = answer;
    expect(ran.lines).toEqual([
      { kind: 'search_result', ...results[0] },
      { kind: 'search_summary', ...summary },
    ]);
  });

  test('reads well on a terminal', async () => {
    const target = await serve({ 'POST /api/v1/query': (_request, response) => json(response, 200, answer) });
    const ran = await runCli(['search', 'gateway', ...target], { terminal: 80 });
    expect(ran.stdout).toContain('"in February 2026" understood as from 2026-02-01 before 2026-03-01');
    expect(ran.stdout.match(/^ 1 The gateway & its certificate expired$/gm)).toHaveLength(1);
    expect(ran.stdout.split('certificate expired')).toHaveLength(2);
    expect(ran.stdout).toMatch(/slack\/message · Ada Example · \d+ d ago/);
    expect(ran.stdout).toContain('1 result · 4.2 ms · hybrid · from cache');
  });
});

const workflow = {
  workflow_id: 'ingest-7d5cbb7d',
  type: 'ingestFile',
  room: 'ingestion',
  status: 'running',
  owner: 'admin',
  source: 'slack',
  resource: `file:${FILE_ID}`,
  error: null,
  created_at: '2026-03-01T10:00:00.000Z',
  started_at: null,
  closed_at: null,
};

test('workflows are listed, shown and cancelled', async () => {
  const engine = { status: 'RUNNING', history_length: 17, started_at: '', closed_at: null, pending_activities: [] };
  const target = await serve({
    'GET /api/v1/workflows': (_request, response) => json(response, 200, page([workflow])),
    'GET /api/v1/workflows/ingest-7d5cbb7d': (_request, response) =>
      json(response, 200, { ...workflow, engine, links: { ui: 'http://x/temporal' } }),
    'POST /api/v1/workflows/ingest-7d5cbb7d/cancel': (_request, response) => json(response, 202, workflow),
  });
  const listed = await runCli(['workflows', 'list', '--status', 'running', ...target]);
  expect(listed.lines).toEqual([{ kind: 'workflow', ...workflow }]);
  const shown = await runCli(['workflows', 'show', 'ingest-7d5cbb7d', ...target], { terminal: 90 });
  expect(shown.stdout).toContain('RUNNING, 17 history events');
  const cancelled = await runCli(['workflows', 'cancel', 'ingest-7d5cbb7d', ...target], { terminal: 90 });
  expect(cancelled.stdout).toBe('Asked ingest-7d5cbb7d to cancel\n');
});

test('keys are created, listed and revoked', async () => {
  const key = {
    key_id: '33333333-3333-4333-8333-333333333333',
    principal_id: 'reports',
    name: 'Reports',
    role: 'viewer',
    grants: [{ resource: `file:${FILE_ID}`, access: 'read' }],
    prefix: 'ost_abcdefgh',
    created_by: 'admin',
    created_at: '2026-03-01T10:00:00.000Z',
    expires_at: null,
    revoked_at: null,
    last_used_at: null,
  };
  let body: unknown;
  const target = await serve({
    'POST /api/v1/keys': async (request, response) => {
      body = await readBody(request);
      json(response, 201, { ...key, key: 'ost_the-new-key' });
    },
    'GET /api/v1/keys': (_request, response) => json(response, 200, page([key])),
    [`DELETE /api/v1/keys/${key.key_id}`]: (_request, response) =>
      json(response, 200, { ...key, revoked_at: '2026-03-02T10:00:00.000Z' }),
  });
  const options = ['--principal', 'reports', '--grant', `file:${FILE_ID}:read`, '--expires', '2030-01-01'];
  const created = await runCli(['keys', 'create', '--name', 'Reports', '--role', 'viewer', ...options, ...target]);
  expect(body).toEqual({
    name: 'Reports',
    role: 'viewer',
    principal_id: 'reports',
    grants: key.grants,
    expires_at: '2030-01-01T00:00:00Z',
  });
  expect(created.lines[0]).toMatchObject({ kind: 'key', key: 'ost_the-new-key' });
  const listed = await runCli(['keys', 'list', ...target], { terminal: 100 });
  expect(listed.stdout).toMatch(/33333333 {2}ost_abcdefgh… {2}viewer {2}live/);
  const revoked = await runCli(['keys', 'revoke', '3333', ...target]);
  expect(revoked.lines[0]).toMatchObject({ kind: 'key', revoked_at: '2026-03-02T10:00:00.000Z' });
});

test('config needs no running system and masks secrets', async () => {
  const ran = await runCli(['config'], { env: { OSTINATO_API_KEY: 'very-secret', SERVER_PORT: '8111' } });
  expect(ran.exit).toBe(0);
  expect(ran.stdout).not.toContain('very-secret');
  const byName = new Map(ran.lines.map((line) => [line.name, line.value]));
  expect(byName.get('OSTINATO_API_KEY')).toBe('********');
  expect(byName.get('SERVER_PORT')).toBe('8111');
});
