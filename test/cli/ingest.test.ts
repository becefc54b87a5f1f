/** `ostinato ingest`: uploads as a stream, follows to the end over cut connections, and tells the outcome. */
import { mkdirSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createApi } from '../../src/cli/api.ts';
import { listSamples, runDemo } from '../../src/cli/demo.ts';
import { watchFile } from '../../src/cli/watch.ts';
import { SOURCES } from '../../src/schema/names.ts';
import {
  accepted,
  FILE_ID,
  fileView,
  type Handler,
  json,
  KEY,
  placeOfEachTest,
  problem,
  readForm,
  runCli,
} from './fake-api.ts';

const FILE = `GET /api/v1/files/${FILE_ID}`;
const EVENTS = 'GET /api/v1/events';
const UPLOAD = 'POST /api/v1/files';

const place = placeOfEachTest({ name: 'export.zip', content: 'x'.repeat(1536) });
const { serve } = place;

/** Takes an upload and answers as told. */
const taking =
  (status = 202, changes: object = {}): Handler =>
  async (request, response) => {
    await readForm(request);
    json(response, status, accepted(changes));
  };

function event(response: ServerResponse, id: string, name: string, data: object): void {
  response.write(`id: ${id}\nevent: ${name}\ndata: ${JSON.stringify({ file_id: FILE_ID, ...data })}\n\n`);
}

function openStream(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write('retry: 10\n\n');
}

const processing = (progress: number) =>
  fileView({ status: 'processing', phase: 'processing', progress, total_records: progress, completed_at: null });

describe('upload', () => {
  test('sends the fields before the file, with its name and length', async () => {
    const odd = join(place.folder, 'ex"port ü.zip');
    writeFileSync(odd, 'y'.repeat(700_000));
    let form: Awaited<ReturnType<typeof readForm>> | undefined;
    let length: string | undefined;
    const target = await serve({
      [UPLOAD]: async (request, response) => {
        length = request.headers['content-length'];
        form = await readForm(request);
        json(response, 202, accepted());
      },
    });
    const ran = await runCli(['ingest', odd, '-s', 'slack', '-m', 'team=sales', '-m', 'note=a=b', ...target]);
    expect(ran.exit).toBe(0);
    expect(form?.bytes).toBe(700_000);
    expect(form?.parts.slice(0, 2)).toEqual([
      ['source_type', 'slack'],
      ['metadata', '{"team":"sales","note":"a=b"}'],
    ]);
    expect(form?.parts[2]?.[1]).toMatch(/^ex(%22|")port ü\.zip$/);
    expect(Number(length)).toBeGreaterThan(700_000);
    expect(ran.lines).toEqual([
      { kind: 'upload', filename: 'ex"port ü.zip', sent_bytes: 700_000, total_bytes: 700_000 },
      { kind: 'accepted', ...accepted(), filename: 'ex"port ü.zip', source_type: 'slack' },
    ]);
  });

  test('says when the bytes were there already', async () => {
    const target = await serve({ [UPLOAD]: taking(200, { duplicate: true, status: 'completed' }) });
    const ran = await runCli(['ingest', place.file, '-s', 'slack', ...target], { terminal: 90 });
    expect(ran.exit).toBe(0);
    expect(ran.stdout).toMatch(/^Already here: export\.zip\nfile +0b8f6f0a-/);
  });

  test('a rejected file ends with 1 and the reason', async () => {
    const target = await serve({
      [UPLOAD]: async (request, response) => {
        await readForm(request);
        problem(response, 422, 'encrypted_archive', 'export.zip: the entry users.json is encrypted');
      },
    });
    const ran = await runCli(['ingest', place.file, '-s', 'slack', ...target]);
    expect(ran.exit).toBe(1);
    expect(ran.stderr).toBe(
      'ostinato: export.zip: the entry users.json is encrypted [encrypted_archive, POST /api/v1/files]\n',
    );
  });

  test('an empty file goes to the API, which refuses it', async () => {
    writeFileSync(place.file, '');
    const target = await serve({
      [UPLOAD]: async (request, response) => {
        const { bytes } = await readForm(request);
        problem(response, 422, 'empty_file', `${bytes} bytes`);
      },
    });
    const ran = await runCli(['ingest', place.file, '-s', 'slack', ...target]);
    expect(ran.stderr).toContain('0 bytes [empty_file');
  });

  test('a missing file and a folder end with 2 before anything is sent', async () => {
    const target = await serve({});
    expect((await runCli(['ingest', join(place.folder, 'none'), '-s', 'slack', ...target])).exit).toBe(2);
    const ran = await runCli(['ingest', place.folder, '-s', 'slack', ...target]);
    expect(ran.exit).toBe(2);
    expect(ran.stderr).toContain('is a folder\n  Pack it into a ZIP');
    expect(place.api.requests).toEqual([]);
  });

  test('a connection cut in the middle ends with 3', async () => {
    writeFileSync(place.file, Buffer.alloc(8_000_000));
    const target = await serve({
      [UPLOAD]: (request) => void request.once('data', () => request.socket.resetAndDestroy()),
    });
    const ran = await runCli(['ingest', place.file, '-s', 'slack', ...target]);
    expect(ran.exit).toBe(3);
    expect(ran.stderr).toMatch(/after .* of export\.zip\n {2}Nothing was kept/);
  });

  test('Ctrl-C cuts the connection and ends with 130', async () => {
    writeFileSync(place.file, Buffer.alloc(8_000_000));
    const interrupt = new AbortController();
    const cut = Promise.withResolvers<boolean>();
    const target = await serve({
      [UPLOAD]: (request) => {
        request.once('data', () => interrupt.abort());
        request.once('close', () => cut.resolve(!request.complete));
      },
    });
    const ran = await runCli(['ingest', place.file, '-s', 'slack', ...target], { signal: interrupt.signal });
    expect(ran.exit).toBe(130);
    expect(ran.stderr).toContain('the upload was not finished and nothing of it is kept');
    expect(await cut.promise).toBe(true);
  });
});

describe('--watch', () => {
  test('tells progress by events and the outcome at the end', async () => {
    let done = false;
    const target = await serve({
      [UPLOAD]: taking(),
      [EVENTS]: (_request, response) => {
        openStream(response);
        event(response, '1-1', 'processing.started', { parser_type: 'SlackParser', estimated_duration_ms: 1 });
        event(response, '1-2', 'processing.progress', { progress_percent: 40, records_processed: 40 });
        setTimeout(() => {
          event(response, '1-3', 'processing.progress', { progress_percent: 70, records_processed: 70 });
          done = true;
          event(response, '1-4', 'processing.completed', {
            total_records: 12,
            processing_time_ms: 1,
            vector_count: 12,
          });
        }, 100);
      },
      [FILE]: (_request, response) => json(response, 200, done ? fileView() : processing(10)),
    });
    const ran = await runCli(['ingest', place.file, '-s', 'slack', '--watch', ...target]);
    expect(ran.exit).toBe(0);
    expect(ran.lines.at(-1)).toEqual({ kind: 'file', ...fileView(), duplicate: false });
    const told = ran.lines.filter((line) => line.kind === 'progress').map((line) => Number(line.progress));
    expect(told).toContain(70);
    expect(told).toEqual([...told].sort((a, b) => a - b));
    expect(place.api.requests).toContain(`GET /api/v1/events?file_id=${FILE_ID}`);
  });

  test('a failed file ends with 1, its error and the places that could not be read', async () => {
    const failed = fileView({
      status: 'failed',
      progress: 30,
      error: { code: 'no_records', detail: 'No record could be read' },
      error_count: 7,
      errors: [{ entry: 'users.json', line: 3, message: 'id is missing' }],
    });
    const target = await serve({ [UPLOAD]: taking(), [FILE]: (_request, response) => json(response, 200, failed) });
    const ran = await runCli(['ingest', place.file, '-s', 'slack', '--watch', ...target], { terminal: 90 });
    expect(ran.exit).toBe(1);
    expect(ran.stdout).toContain('failed  export.zip');
    expect(ran.stdout).toContain('No record could be read [no_records]\n  users.json:3: id is missing\n  and 6 more');
  });

  test('Ctrl-C leaves the ingestion running and says so', async () => {
    const interrupt = new AbortController();
    const target = await serve({
      [UPLOAD]: taking(),
      [EVENTS]: (_request, response) => openStream(response),
      [FILE]: (_request, response) => {
        json(response, 200, processing(10));
        setTimeout(() => interrupt.abort(), 50);
      },
    });
    const ran = await runCli(['ingest', place.file, '-s', 'slack', '-w', ...target], { signal: interrupt.signal });
    expect(ran.exit).toBe(130);
    expect(ran.stderr).toContain(`the ingestion goes on without this command\n  Look: ostinato files show ${FILE_ID}`);
  });
});

describe('watching', () => {
  const patient = { pollMs: { connected: 60_000, alone: 20 } };

  function open(url: string) {
    return createApi({ url, apiKey: KEY }, { version: 'test', signal: new AbortController().signal });
  }

  test('goes on after the last event when the stream is cut, and never goes back', async () => {
    const resumedAfter: (string | undefined)[] = [];
    let done = false;
    await serve({
      [EVENTS]: (request, response) => {
        const last = request.headers['last-event-id'];
        resumedAfter.push(typeof last === 'string' ? last : undefined);
        openStream(response);
        if (resumedAfter.length === 1) {
          event(response, '5-1', 'processing.progress', { progress_percent: 50, records_processed: 5 });
          setTimeout(() => response.destroy(), 50);
        } else if (resumedAfter.length === 2) {
          // Half an event is none.
          response.write('id: 5-2\nevent: processing.progress\ndata: {"progress');
          setTimeout(() => response.destroy(), 50);
        } else {
          event(response, '5-2', 'processing.progress', { progress_percent: 80, records_processed: 8 });
          done = true;
          event(response, '5-3', 'processing.completed', {});
        }
      },
      // The answers lag behind the events: progress must not fall back to them.
      [FILE]: (_request, response) => json(response, 200, done ? fileView() : processing(10)),
    });
    const told: number[] = [];
    const client = open(place.api.url);
    const view = await watchFile(client, FILE_ID, {
      ...patient,
      signal: new AbortController().signal,
      onProgress: ({ progress }) => told.push(progress),
    });
    await client.close();
    expect(view.status).toBe('completed');
    expect(resumedAfter.slice(0, 3)).toEqual([undefined, '5-1', '5-1']);
    expect(told).toEqual([10, 50, 80, 100]);
  });

  test('asks instead where there are no events', async () => {
    let asked = 0;
    await serve({
      [EVENTS]: (_request, response) => problem(response, 403, 'forbidden', 'no events for you'),
      [FILE]: (_request, response) => json(response, 200, ++asked < 4 ? processing(asked * 10) : fileView()),
    });
    const client = open(place.api.url);
    const signal = new AbortController().signal;
    const view = await watchFile(client, FILE_ID, { ...patient, signal, onProgress: () => {} });
    await client.close();
    expect(view.status).toBe('completed');
    expect(asked).toBe(4);
    expect(place.api.requests.filter((request) => request.includes('/events'))).toHaveLength(1);
  });

  test('waits while the API is unavailable, and gives up after its patience', async () => {
    let asked = 0;
    await serve({
      [FILE]: (_request, response) =>
        ++asked === 2
          ? problem(response, 503, 'unavailable', 'restarting')
          : json(response, 200, asked < 3 ? processing(1) : fileView()),
    });
    const client = open(place.api.url);
    const signal = new AbortController().signal;
    expect((await watchFile(client, FILE_ID, { ...patient, signal, onProgress: () => {} })).status).toBe('completed');
    await place.api.close();
    const gone = watchFile(client, FILE_ID, { ...patient, signal, patienceMs: 100, onProgress: () => {} });
    await expect(gone).rejects.toMatchObject({ exit: 3 });
    await client.close();
  });

  test('ends with "not found" when the file is deleted meanwhile', async () => {
    await serve({});
    const client = open(place.api.url);
    const gone = watchFile(client, FILE_ID, { ...patient, signal: new AbortController().signal, onProgress: () => {} });
    await expect(gone).rejects.toMatchObject({ exit: 5, code: 'not_found' });
    await client.close();
  });
});

describe('demo', () => {
  test('ingests every sample of every source, searches, and counts what failed', async () => {
    for (const source of SOURCES) {
      mkdirSync(join(place.folder, source));
      writeFileSync(join(place.folder, source, 'sample.json'), source);
    }
    expect(listSamples(place.folder).map(({ source }) => source)).toEqual([...SOURCES]);
    const sources: string[] = [];
    const asked: string[] = [];
    const target = await serve({
      [UPLOAD]: async (request, response) => {
        const { parts } = await readForm(request);
        sources.push(parts[0]?.[1] ?? '');
        if (sources.length === 2) problem(response, 422, 'malformed', 'not today');
        else json(response, 200, accepted({ duplicate: true, status: 'completed' }));
      },
      [FILE]: (_request, response) => json(response, 200, fileView()),
      'POST /api/v1/query': (_request, response) => {
        asked.push('query');
        const summary = { result_count: 0, total: 0, total_is_exact: true, next_cursor: null, notice: null };
        const rest = { response_time_ms: 1, cache_hit: false, mode: 'hybrid', interpreted: null };
        json(response, 200, { query_id: FILE_ID, results: [], ...summary, ...rest });
      },
    });
    const program = (argv: string[], io: Parameters<typeof runDemo>[1]) => runDemo(argv, io, place.folder);
    const ran = await runCli(target, { program, terminal: 100 });
    expect(sources).toEqual([...SOURCES]);
    expect(asked).toHaveLength(3);
    expect(ran.exit).toBe(1);
    expect(ran.stdout).toContain('(already here)');
    expect(ran.stdout).toContain('; 1 failed.');
    expect(ran.stdout).toContain(`${place.api.url}/temporal`);
  });
});
