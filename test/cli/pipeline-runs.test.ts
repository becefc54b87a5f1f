/** `ostinato pipelines run …` and what goes with runs, against a fake API. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { placeBelow } from '../../src/cli/artifacts.ts';
import type { RunView } from '../../src/schema/pipeline-views.ts';
import { APPROVAL_ID, approval, artifact, PIPELINE_ID, pipeline, RUN_ID, runView, stage } from './control-views.ts';
import { type Handler, json, placeOfEachTest, problem, readBody, runCli } from './fake-api.ts';

const PIPELINES = '/api/v1/pipelines';
const EXECUTE = `POST ${PIPELINES}/${PIPELINE_ID}/execute`;
const RUN = `/api/v1/pipeline-runs/${RUN_ID}`;
const EVENTS = 'GET /api/v1/events';
const FILE = `name: daily
stages:
  - { name: read, type: data-ingestion, config: { source: "s3://bucket/a.csv" } }
  - { name: write, type: output }
dependencies: [{ from: 0, to: 1 }]
`;

const place = placeOfEachTest({ name: 'p.yaml', content: FILE });
const { serve } = place;

const page = (items: object[]) => ({ items, next_cursor: null, truncated: false });
const answer =
  (value: object, status = 200): Handler =>
  (_request, response) =>
    json(response, status, value);
const started = { run_id: RUN_ID, workflow_id: `run-${RUN_ID}`, status: 'pending', links: runView().links };
const whoami = { 'GET /api/v1/whoami': answer({ id: 'ada' }) };
/** Tells of a change every 30 ms, so that looks follow each other quickly. */
const ticking: Handler = (_request, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const timer = setInterval(() => response.write('event: pipeline.progress\ndata: {}\n\n'), 30);
  response.once('close', () => clearInterval(timer));
};
/** One view after the other; the last stays. */
function views(...all: RunView[]): Handler {
  let look = 0;
  return (_request, response) => json(response, 200, all[Math.min(look++, all.length - 1)] ?? {});
}

const [read, write] = runView().stages;
const running = (changes: Partial<RunView> = {}) =>
  runView({
    status: 'running',
    progress: 0.5,
    completed_at: null,
    stages: [
      stage({
        ...read,
        stage: 0,
        name: 'read',
        status: 'completed',
        dataset: { rows: 1_000_000, bytes: 1, sha256: 'a', columns: 3 },
      }),
      stage({ stage: 1, name: 'write', status: 'running', progress: 0.4, started_at: '2026-03-01T10:00:05.000Z' }),
    ],
    ...changes,
  });

describe('the pipeline of a file', () => {
  const bodies: unknown[] = [];
  const keys: unknown[] = [];
  const routes = (there: object[], current = pipeline()): Record<string, Handler> => ({
    ...whoami,
    [`GET ${PIPELINES}`]: answer(page(there)),
    [`GET ${PIPELINES}/${PIPELINE_ID}`]: answer(current),
    [`POST ${PIPELINES}`]: answer(
      { pipeline_id: PIPELINE_ID, name: 'daily', version: 1, links: pipeline().links },
      201,
    ),
    [`PUT ${PIPELINES}/${PIPELINE_ID}`]: answer({
      pipeline_id: PIPELINE_ID,
      name: 'daily',
      version: 4,
      links: pipeline().links,
    }),
    [EXECUTE]: async (request, response) => {
      bodies.push(await readBody(request));
      keys.push(request.headers['idempotency-key']);
      json(response, 202, started);
    },
  });
  const sent = () => place.api.requests.filter((request) => !request.startsWith('GET'));

  test('is created when the caller has none of its name, whatever others have', async () => {
    const target = await serve(routes([pipeline({ owner: 'ben' }), pipeline({ name: 'daily 2' })]));
    const ran = await runCli(['pipelines', 'run', place.file, ...target], { terminal: 100 });
    expect(ran.exit).toBe(0);
    expect(ran.stdout).toMatch(/^daily: created, version 1, 3b8f.*\nStarted\nrun +4b8f/);
    expect(sent()).toEqual([`POST ${PIPELINES}`, EXECUTE]);
    expect(place.api.requests).toContain(`GET ${PIPELINES}?name=daily&limit=200`);
  });

  test('is used as it is when it says the same', async () => {
    const target = await serve(routes([pipeline()]));
    const ran = await runCli(['pipelines', 'run', place.file, ...target]);
    expect(ran.lines).toMatchObject([{ kind: 'pipeline', how: 'unchanged', version: 3 }, { kind: 'run_started' }]);
    expect(sent()).toEqual([EXECUTE]);
  });

  test('gets a new version when it says something else', async () => {
    const target = await serve(routes([pipeline()], pipeline({ description: 'before' })));
    const ran = await runCli(['pipelines', 'run', place.file, ...target]);
    expect(ran.lines[0]).toMatchObject({ kind: 'pipeline', how: 'updated', version: 4 });
    expect(sent()).toEqual([`PUT ${PIPELINES}/${PIPELINE_ID}`, EXECUTE]);
    expect(bodies.at(-1)).toEqual({ version: 4 });
  });

  test('takes input, parameters and notifications from options and files', async () => {
    bodies.length = 0;
    keys.length = 0;
    const input = join(place.folder, 'input.json');
    writeFileSync(input, '{"source": "s3://b/old", "deep": {"a": 1}}');
    const target = await serve(routes([pipeline()]));
    const options = ['--input-file', input, '-i', 'source=s3://b/new', '-i', 'rows=[1,2]', '-p', 'batch_size=1000'];
    const more = [
      '-p',
      'name=daily',
      '-p',
      'zip="007"',
      '--webhook',
      'https://hooks.example/a',
      '--email',
      'a@b.example',
    ];
    await runCli(['pipelines', 'run', PIPELINE_ID, ...options, ...more, ...target]);
    expect(bodies).toEqual([
      {
        input_data: { source: 's3://b/new', deep: { a: 1 }, rows: [1, 2] },
        parameters: { batch_size: 1000, name: 'daily', zip: '007' },
        notification: { webhook: 'https://hooks.example/a', email: 'a@b.example' },
      },
    ]);
    await runCli(['pipelines', 'run', PIPELINE_ID, ...target]);
    expect(bodies[1]).toEqual({});
    await runCli(['pipelines', 'run', PIPELINE_ID, '--idempotency-key', 'today', ...target]);
    expect(keys).toEqual([undefined, undefined, 'today']);
  });
});

describe('--watch', () => {
  test('tells each stage as it changes, and ends with 0', async () => {
    const target = await serve({
      [EXECUTE]: answer(started, 202),
      [EVENTS]: ticking,
      [`GET ${RUN}`]: views(runView({ status: 'pending', stages: [] }), running(), running(), runView()),
    });
    const ran = await runCli(['pipelines', 'run', PIPELINE_ID, '--watch', ...target]);
    expect(ran.exit).toBe(0);
    expect(ran.lines.map(({ kind, name, status }) => [kind, name, status])).toEqual([
      ['run_started', undefined, 'pending'],
      ['stage', 'read', 'completed'],
      ['stage', 'write', 'running'],
      ['stage', 'write', 'completed'],
      ['run', undefined, 'completed'],
    ]);
    expect(place.api.requests).toContain(`GET /api/v1/events?run_id=${RUN_ID}`);
  });

  test('a failed run ends with 1, the stage and its error', async () => {
    const error = { code: 'validation_failed', detail: '12 rows break not_null of amount' };
    const failed = runView({
      status: 'failed',
      error,
      stages: [
        stage({ ...read, stage: 0, name: 'read', status: 'completed' }),
        stage({ ...write, stage: 1, name: 'check', status: 'failed', error }),
      ],
    });
    const target = await serve({
      [`GET ${RUN}`]: views(failed),
      [`GET ${PIPELINES}/${PIPELINE_ID}`]: answer(pipeline()),
    });
    const ran = await runCli(['pipelines', 'status', RUN_ID, '--watch', ...target], { terminal: 100 });
    expect(ran.exit).toBe(1);
    expect(ran.stdout).toMatch(
      /^failed {2}daily v3 {2}1 of 2 stages · 12\.5 s\ncheck: 12 rows break not_null of amount \[validation_failed\]\n$/,
    );
  });

  test('Ctrl-C leaves the run going and says how to look and stop', async () => {
    const interrupt = new AbortController();
    const target = await serve({
      [EXECUTE]: answer(started, 202),
      [EVENTS]: ticking,
      [`GET ${RUN}`]: (_request, response) => {
        json(response, 200, running());
        setTimeout(() => interrupt.abort(), 50);
      },
    });
    const ran = await runCli(['pipelines', 'run', PIPELINE_ID, '-w', ...target], { signal: interrupt.signal });
    expect(ran.exit).toBe(130);
    expect(ran.stderr).toContain(
      `the run goes on without this command\n  Look: ostinato pipelines status ${RUN_ID} --watch; stop it: ostinato pipelines cancel ${RUN_ID}`,
    );
    expect(place.api.requests.filter((request) => request.startsWith('POST'))).toEqual([EXECUTE]);
  });

  test('an API that restarts is waited for', async () => {
    let look = 0;
    const target = await serve({
      [EVENTS]: (_request, response) => void response.socket?.destroy(),
      [`GET ${RUN}`]: (request, response) => {
        look++;
        if (look === 2) return problem(response, 503, 'unavailable', 'starting');
        if (look === 3) return void request.socket.destroy();
        json(response, 200, look < 5 ? running() : runView());
      },
    });
    const ran = await runCli(['pipelines', 'status', RUN_ID, '--watch', ...target]);
    expect(ran.exit).toBe(0);
    expect(look).toBe(5);
  }, 20_000);

  test('what waits for a decision is shown once, with the command for it', async () => {
    const waiting = running({ approvals: [approval()] });
    const target = await serve({ [EVENTS]: ticking, [`GET ${RUN}`]: views(waiting, waiting, waiting, runView()) });
    const lines = (await runCli(['pipelines', 'status', RUN_ID, '-w', ...target])).lines;
    expect(lines.filter(({ kind }) => kind === 'approval')).toEqual([{ kind: 'approval', ...approval() }]);
    await place.api.close();
    const again = await serve({ [EVENTS]: ticking, [`GET ${RUN}`]: views(waiting, waiting, runView()) });
    const told = await runCli(['pipelines', 'status', RUN_ID, '-w', '--table', ...again]);
    expect(told.stderr).toContain('waits for a decision until 2026-03-08T10:00:00.000Z: Is the total right?');
    expect(told.stderr).toContain(`ostinato approvals approve ${APPROVAL_ID}`);
  });
});

test('status shows the run, its stages and what waits', async () => {
  const target = await serve({
    'GET /api/v1/pipeline-runs': answer(page([runView()])),
    [`GET ${RUN}`]: answer(running({ approvals: [approval()] })),
  });
  const ran = await runCli(['pipelines', 'status', '4b8f', ...target], { terminal: 110 });
  expect(ran.exit).toBe(0);
  expect(ran.stdout).toMatch(/status +running \(50%, attempt 1\)\n/);
  expect(ran.stdout).toMatch(/\n +0 +read +transformation +completed +1 +- +1,000,000 +-\n/);
  expect(ran.stdout).toMatch(
    /\nwrite waits for a decision until .*: Is the total right\?\n {2}ostinato approvals approve 5b8f6f0a /,
  );
});

test.each(['pause', 'resume', 'cancel', 'retry'])('%s', async (verb) => {
  const target = await serve({ [`POST ${RUN}/${verb}`]: answer(runView({ status: 'paused' })) });
  const ran = await runCli(['pipelines', verb, RUN_ID, ...target], { terminal: 80 });
  expect(ran).toMatchObject({ exit: 0, stdout: `${RUN_ID}: paused\n` });
});

test('runs of one pipeline, or of all', async () => {
  const target = await serve({
    [`GET ${PIPELINES}/${PIPELINE_ID}/runs`]: answer(page([runView()])),
    'GET /api/v1/pipeline-runs': answer(page([runView(), runView()])),
  });
  const one = await runCli(['pipelines', 'runs', PIPELINE_ID, '--status', 'completed', ...target], { terminal: 110 });
  expect(one.stdout).toMatch(/\n4b8f6f0a +completed +100 +3 +1 .* 12\.5 s +-\n$/);
  expect((await runCli(['pipelines', 'runs', ...target])).lines).toHaveLength(2);
});

describe('artifacts', () => {
  const download = `GET ${RUN}/artifacts/write/output.csv`;
  const list = (...artifacts: object[]) => answer({ artifacts });

  test('are listed, and stored whole below the folder under their names', async () => {
    const bytes: Handler = (_request, response) => void response.writeHead(200).end('a\n1');
    const target = await serve({ [`GET ${RUN}/artifacts`]: list(artifact()), [download]: bytes });
    const listed = await runCli(['pipelines', 'artifacts', RUN_ID, ...target], { terminal: 100 });
    expect(listed.stdout).toMatch(/\nwrite\/output\.csv +text\/csv +1 +3 B +[0-9a-f]{12}\n$/);
    const out = join(place.folder, 'out');
    const stored = await runCli(['pipelines', 'artifacts', RUN_ID, '-d', out, ...target], { terminal: 200 });
    expect(stored).toMatchObject({ exit: 0, stdout: `${join(out, 'write/output.csv')}  3 B\n` });
    expect(readFileSync(join(out, 'write/output.csv'), 'utf8')).toBe('a\n1');
    const again = await runCli(['pipelines', 'artifacts', RUN_ID, '-d', out, ...target]);
    expect(again.lines).toMatchObject([{ kind: 'download', fetched: false }]);
    expect(readdirSync(join(out, 'write'))).toEqual(['output.csv']);
  });

  test.each([
    ['other bytes', 'a\n2'],
    ['fewer', 'a'],
  ])('%s than announced leave nothing behind', async (_name, body) => {
    const bytes: Handler = (_request, response) => void response.writeHead(200).end(body);
    const target = await serve({ [`GET ${RUN}/artifacts`]: list(artifact()), [download]: bytes });
    const ran = await runCli(['pipelines', 'artifacts', RUN_ID, '-d', join(place.folder, 'out'), ...target]);
    expect(ran).toMatchObject({ exit: 1, stderr: expect.stringContaining('what came is not what was announced') });
    expect(readdirSync(join(place.folder, 'out', 'write'))).toEqual([]);
  });

  test.each(['../up.csv', '/etc/passwd', 'a/../../b', '..', '', 'a\\b', 'a\0b'])(
    'a name such as %j stays outside',
    (name) => {
      expect(() => placeBelow('/tmp/out', name)).toThrow(/cannot be stored/);
    },
  );

  test('odd names that lead nowhere are taken', () => {
    expect(placeBelow('/tmp/out', 'clean up/0/..a.csv')).toBe('/tmp/out/clean up/0/..a.csv');
  });
});
