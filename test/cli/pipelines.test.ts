/** `ostinato pipelines …` about definitions, and approvals and notifications, against a fake API. */
import { writeFileSync } from 'node:fs';

import { describe, expect, test } from 'vitest';
import { sameDefinition } from '../../src/cli/pipeline-sync.ts';
import { APPROVAL_ID, approval, PIPELINE_ID, pipeline, RUN_ID, runView } from './control-views.ts';
import { type Handler, json, KEY, placeOfEachTest, problem, readBody, runCli } from './fake-api.ts';

const PIPELINES = '/api/v1/pipelines';
const VALIDATE = `POST ${PIPELINES}/validate`;
const FILE = `name: daily
stages:
  - { name: read, type: data-ingestion, config: { source: "s3://bucket/a.csv" } }
  - name: write
    type: output
dependencies:
  - { from: 0, to: 1 }
`;

const place = placeOfEachTest({ name: 'p.yaml', content: FILE });
const { serve } = place;

const page = (items: object[]) => ({ items, next_cursor: null, truncated: false });
const created = (version = 1) => {
  const { pipeline_id, name, links } = pipeline();
  return { pipeline_id, name, version, links };
};

test('list and show', async () => {
  const target = await serve({
    [`GET ${PIPELINES}`]: (_request, response) => json(response, 200, page([pipeline()])),
    [`GET ${PIPELINES}/${PIPELINE_ID}`]: (_request, response) => json(response, 200, pipeline()),
  });
  const listed = await runCli(['pipelines', ...target], { terminal: 90 });
  expect(listed.stdout).toMatch(/^PIPELINE +NAME +VERSION +UPDATED +DESCRIPTION\n3b8f6f0a +daily +3 /);
  await runCli(['pipelines', 'list', '--name', 'a daily one', ...target]);
  expect(place.api.requests).toEqual([`GET ${PIPELINES}`, `GET ${PIPELINES}?name=a+daily+one`]);
  const shown = await runCli(['pipelines', 'show', '3b8f', ...target], { terminal: 90 });
  expect(shown.stdout).toMatch(
    /\nSTAGE +NAME +TYPE +AFTER +REQUIRED +WHEN\n +0 +read +data-ingestion +- +yes +-\n +1 +write +output +read +yes +-\n$/,
  );
});

describe('create and update', () => {
  test('send the file', async () => {
    const bodies: unknown[] = [];
    const take =
      (version: number): Handler =>
      async (request, response) => {
        bodies.push(await readBody(request));
        json(response, 201, created(version));
      };
    const target = await serve({ [`POST ${PIPELINES}`]: take(1), [`PUT ${PIPELINES}/${PIPELINE_ID}`]: take(4) });
    const made = await runCli(['pipelines', 'create', place.file, ...target], { terminal: 90 });
    expect(made.stdout).toContain(`Created daily, version 1\n${PIPELINE_ID}\n`);
    const changed = await runCli(['pipelines', 'update', PIPELINE_ID, place.file, ...target]);
    expect(changed.lines).toEqual([{ kind: 'pipeline_updated', ...created(4) }]);
    expect(bodies).toHaveLength(2);
    expect(bodies[0]).toMatchObject({ name: 'daily', stages: [{ name: 'read' }, { name: 'write' }] });
    expect(bodies[1]).toEqual(bodies[0]);
  });

  test('tell every fault of a refusal at its place, and end with 2', async () => {
    const errors = [
      { path: 'dependencies.0.to', message: 'there is no stage 9; the last one is 1' },
      { path: 'stages.1.type', message: 'must be one of a, b' },
    ];
    const target = await serve({
      [`POST ${PIPELINES}`]: (_request, response) => problem(response, 422, 'invalid_pipeline', 'no', errors),
    });
    const ran = await runCli(['pipelines', 'create', place.file, ...target], { terminal: 120 });
    expect(ran.exit).toBe(2);
    expect(ran.stdout).toBe(
      `${place.file}:5:11: stages.1.type: must be one of a, b\n${place.file}:7:20: dependencies.0.to: there is no stage 9; the last one is 1\n`,
    );
    expect(ran.stderr).toBe(`ostinato: ${place.file}: 2 faults\n`);
  });

  test('a file that is none never reaches the API', async () => {
    writeFileSync(place.file, 'name: a\nname: b\n');
    const target = await serve({});
    const ran = await runCli(['pipelines', 'create', place.file, ...target]);
    expect(ran).toMatchObject({ exit: 2, stderr: `ostinato: ${place.file}: 1 fault\n` });
    expect(ran.lines).toMatchObject([{ kind: 'fault', file: place.file, line: 2, column: 1 }]);
    expect(place.api.requests).toEqual([]);
  });
});

describe('validate', () => {
  test('asks the API', async () => {
    const target = await serve({
      [VALIDATE]: (_request, response) => json(response, 200, { valid: true, errors: [] }),
    });
    const ran = await runCli(['pipelines', 'validate', place.file, ...target], { terminal: 90 });
    expect(ran).toMatchObject({ exit: 0, stdout: `${place.file}: valid\n`, stderr: '' });
  });

  test('faults end with 2, each with line and column', async () => {
    const errors = [{ path: 'stages.0.config.source', message: 'must be s3://bucket/key' }];
    const target = await serve({ [VALIDATE]: (_request, response) => json(response, 200, { valid: false, errors }) });
    const ran = await runCli(['pipelines', 'validate', place.file, ...target]);
    expect(ran.exit).toBe(2);
    expect(ran.lines).toEqual([{ kind: 'fault', file: place.file, ...errors[0], line: 3, column: 59 }]);
  });

  test('without an API the form is checked, and what was not is said: 3, or 0 with --offline', async () => {
    const gone = ['--url', 'http://127.0.0.1:9', '--key', KEY];
    const away = await runCli(['pipelines', 'validate', place.file, ...gone], { terminal: 90 });
    expect(away).toMatchObject({ exit: 3, stdout: `${place.file}: syntax and form are fine\n` });
    expect(away.stderr).toMatch(
      /^The API was not asked \(The API at .* does not answer \(connection refused\)\): cycles/,
    );
    const offline = await runCli(['pipelines', 'validate', '--offline', place.file, ...gone]);
    expect(offline.exit).toBe(0);
    expect(offline.lines).toEqual([{ kind: 'valid', file: place.file, api_asked: false }]);
    writeFileSync(place.file, FILE.replace('type: output', 'type: outptu\n    tiemout: 3'));
    const faulty = await runCli(['pipelines', 'validate', place.file, ...gone], { terminal: 90 });
    expect(faulty.exit).toBe(2);
    expect(faulty.stdout).toMatch(
      /p\.yaml:5:11: stages\.1\.type: Invalid option: .*\n.*p\.yaml:6:5: stages\.1: Unrecognized key: "tiemout"\n$/,
    );
  });

  test('a caller without rights is told so: nothing is called valid', async () => {
    const target = await serve({ [VALIDATE]: (_request, response) => problem(response, 403, 'forbidden', 'no') });
    expect(await runCli(['pipelines', 'validate', place.file, ...target])).toMatchObject({ exit: 4, stdout: '' });
  });
});

test('two ways to say the same are the same definition', () => {
  const written = {
    name: ' daily ',
    dependencies: [{ to: 1, from: 0 }],
    stages: [
      { type: 'data-ingestion', name: 'read', config: { source: 's3://bucket/a.csv' }, required: true },
      { name: 'write', type: 'output' },
    ],
  };
  expect(sameDefinition(pipeline(), written)).toBe(true);
  expect(sameDefinition(pipeline(), { ...written, description: 'x' })).toBe(false);
  expect(sameDefinition(pipeline(), { ...written, stages: [...written.stages].reverse() })).toBe(false);
  expect(sameDefinition(pipeline(), { ...written, stages: 'none' })).toBe(false);
});

describe('approvals', () => {
  test.each(['approve', 'reject'])('%s', async (verb) => {
    let body: unknown;
    const target = await serve({
      'GET /api/v1/approvals': (_request, response) => json(response, 200, page([approval()])),
      [`POST /api/v1/approvals/${APPROVAL_ID}/decide`]: async (request, response) => {
        body = await readBody(request);
        json(response, 200, approval({ status: verb === 'approve' ? 'approved' : 'rejected', decided_by: 'ada' }));
      },
    });
    const ran = await runCli(['approvals', verb, '5b8f', '--comment', 'looks right', ...target], { terminal: 90 });
    expect(ran.exit).toBe(0);
    expect(body).toEqual({ decision: verb, comment: 'looks right' });
    expect(ran.stdout).toMatch(new RegExp(`^${APPROVAL_ID}: ${verb === 'approve' ? 'approved' : 'rejected'}\n`));
  });

  test('list by run, with a short id of it', async () => {
    const target = await serve({
      'GET /api/v1/pipeline-runs': (_request, response) => json(response, 200, page([runView()])),
      'GET /api/v1/approvals': (_request, response) => json(response, 200, page([approval()])),
    });
    const ran = await runCli(['approvals', '--status', 'pending', '--run', '4b8f', ...target], { terminal: 100 });
    expect(ran.stdout).toMatch(/\n5b8f6f0a +pending +4b8f6f0a +1 .* Is the total right\?\n$/);
    expect(place.api.requests.at(-1)).toBe(`GET /api/v1/approvals?status=pending&run_id=${RUN_ID}`);
  });

  test('one that somebody else decided first ends with 1', async () => {
    const target = await serve({
      [`POST /api/v1/approvals/${APPROVAL_ID}/decide`]: (_request, response) =>
        problem(response, 409, 'conflict', 'it is rejected already'),
    });
    expect((await runCli(['approvals', 'approve', APPROVAL_ID, ...target])).exit).toBe(1);
  });
});

test('notifications are listed and replayed', async () => {
  const id = '6b8f6f0a-3f0c-4d4e-9a55-5a5f0f4c1a01';
  const notification = {
    notification_id: id,
    kind: 'webhook',
    target: 'https://hooks.example/a',
    event: 'pipeline.failed',
    run_id: RUN_ID,
    status: 'undelivered',
    attempts: 12,
    last_error: 'HTTP 500',
    created_at: '2026-03-01T10:00:00.000Z',
    delivered_at: null,
    next_attempt_at: null,
  };
  const target = await serve({
    'GET /api/v1/notifications': (_request, response) => json(response, 200, page([notification])),
    [`POST /api/v1/notifications/${id}/replay`]: (_request, response) =>
      json(response, 202, { ...notification, status: 'pending' }),
  });
  const listed = await runCli(['notifications', '--status', 'undelivered', ...target], { terminal: 140 });
  expect(listed.stdout).toMatch(/undelivered +pipeline\.failed +12 .* https:\/\/hooks\.example\/a +HTTP 500\n$/);
  const replayed = await runCli(['notifications', 'replay', '6b8f', ...target], { terminal: 90 });
  expect(replayed.stdout).toBe(`${id}: pending\n`);
});
