/** `ostinato credentials`: where the secret comes from, and that nothing shows it. */

import { Readable } from 'node:stream';
import { beforeEach, expect, test } from 'vitest';
import { run } from '../../src/cli/run.ts';
import { json, placeOfEachTest, readBody, runCli } from './fake-api.ts';

const credential = {
  credential_id: '44444444-4444-4444-8444-444444444444',
  owner: 'ada',
  name: 'crm',
  kind: 'oauth2_client_credentials',
  config: { token_url: 'https://id.example/token', client_id: 'us' },
  created_at: '2026-03-01T10:00:00.000Z',
  updated_at: '2026-03-01T10:00:00.000Z',
};

const place = placeOfEachTest({ name: 'secret', content: ' two\nlines \r\n' });
let target: string[];
let sent: unknown;
beforeEach(async () => {
  sent = undefined;
  target = await place.serve({
    'POST /api/v1/credentials': async (request, response) => {
      sent = await readBody(request);
      json(response, 201, credential);
    },
    'GET /api/v1/credentials': (_request, response) =>
      json(response, 200, { items: [credential], next_cursor: null, truncated: false }),
    [`DELETE /api/v1/credentials/${credential.credential_id}`]: (_request, response) => json(response, 200, credential),
  });
});

/** With this on stdin; a terminal when null. */
function credentials(argv: string[], options: { stdin?: string | null; terminal?: number } = {}) {
  const { stdin = '', ...rest } = options;
  const input = stdin === null ? Object.assign(Readable.from([]), { isTTY: true }) : Readable.from([stdin]);
  return runCli([...argv, ...target], {
    ...rest,
    cwd: place.folder,
    program: (args, io) => run(args, { ...io, stdin: input }),
  });
}

const create = ['credentials', 'create', '--name', 'crm', '--kind', 'oauth2_client_credentials'];
const client = ['--token-url', 'https://id.example/token', '--client-id', 'us', '--scope', 'a b'];

test('a secret is piped in, sent, and not shown', async () => {
  const ran = await credentials([...create, ...client], { stdin: 'the secret\n' });
  expect(sent).toEqual({
    name: 'crm',
    kind: 'oauth2_client_credentials',
    secret: 'the secret',
    token_url: 'https://id.example/token',
    client_id: 'us',
    scope: 'a b',
  });
  expect(ran.lines[0]).toMatchObject({ kind: 'credential', name: 'crm', credential_kind: credential.kind });
  expect(ran.stdout + ran.stderr).not.toContain('the secret');
});

test('or read from a file, whose last line end is no part of it', async () => {
  const ran = await credentials([...create, '--secret-file', 'secret'], { terminal: 90 });
  expect(sent).toMatchObject({ secret: ' two\nlines ' });
  expect(ran.stdout).toBe(`Stored crm (oauth2_client_credentials) as ${credential.credential_id}\n`);
});

test('nothing is asked of a person, and a missing file is named', async () => {
  const terminal = await credentials(create, { stdin: null });
  expect([terminal.exit, terminal.stderr]).toEqual([2, expect.stringContaining('--secret-file')]);
  const missing = await credentials([...create, '--secret-file', 'none']);
  expect([missing.exit, missing.stderr]).toEqual([2, expect.stringContaining('none: cannot be read (ENOENT)')]);
  const huge = await credentials(create, { stdin: 'x'.repeat(70_000) });
  expect([huge.exit, sent]).toEqual([2, undefined]);
});

test('they are listed, and deleted by the first characters of the id', async () => {
  const listed = await credentials(['credentials'], { terminal: 100 });
  expect(listed.stdout).toMatch(/44444444 {2}oauth2_client_credentials {2}ada/);
  const deleted = await credentials(['credentials', 'delete', '4444'], { terminal: 100 });
  expect(deleted.stdout).toBe('Deleted crm (oauth2_client_credentials)\n');
});
