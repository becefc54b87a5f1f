/** Mail servers that want TLS and a password: reached under an authority of our own, refused under another. */
import { readFileSync } from 'node:fs';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { isPermanent, sendMail } from '../../../src/clients/mail.ts';
import { loadConfig } from '../../../src/schema/config.ts';
import { readAuthorities } from '../../../src/schema/tls.ts';
import { makeAuthority } from '../../support/authority.ts';

const authority = makeAuthority();
const stranger = makeAuthority('Somebody else');
const pair = authority.issue('mail');
const trusted = (ca: string) => readAuthorities(loadConfig({ env: { TLS_CA: ca }, cwd: authority.folder }));
afterAll(() => {
  authority.remove();
  stranger.remove();
});

const mail = {
  from: 'Runs <runs@ostinato.test>',
  to: 'ana@example.com',
  subject: 'done',
  text: 'It is done.',
  id: 'n-1',
};

interface Heard {
  user: unknown;
  isSecure: boolean;
  text: string;
}
let server: SMTPServer | undefined;
afterEach(() => new Promise<void>((resolve) => (server ? server.close(resolve) : resolve())));

/** Lets in `runs` with the password `p@ss word`. Resolves with its port and what it took. */
async function listen(options: SMTPServerOptions): Promise<{ port: number; heard: Heard[] }> {
  const heard: Heard[] = [];
  server = new SMTPServer({
    key: readFileSync(pair.key),
    cert: readFileSync(pair.cert),
    onAuth({ username, password }, _session, callback) {
      if (username === 'runs' && password === 'p@ss word') callback(null, { user: username });
      else callback(Object.assign(new Error('535 who are you'), { responseCode: 535 }));
    },
    onData(stream, session, callback) {
      let text = '';
      stream.on('data', (part: Buffer) => (text += part));
      stream.on('end', () => {
        heard.push({ user: session.user, isSecure: session.secure, text });
        callback();
      });
    },
    ...options,
  });
  // A client that refuses the certificate hangs up: no news.
  server.on('error', () => {});
  const listening = server.listen(0, '127.0.0.1');
  await new Promise<void>((resolve) => listening.once('listening', () => resolve()));
  return { port: (listening.address() as { port: number }).port, heard };
}

describe.each([
  ['smtps:', { secure: true }],
  ['smtp: with STARTTLS', { secure: false }],
])('%s', (scheme, options) => {
  const address = (port: number, who = 'runs:p%40ss%20word@') => `${scheme.split(':')[0]}://${who}127.0.0.1:${port}`;

  it('is signed in to with user and password, over TLS that is checked', async () => {
    const { port, heard } = await listen(options);
    await sendMail(address(port), mail, trusted(authority.ca));
    expect(heard).toEqual([{ user: 'runs', isSecure: true, text: expect.stringContaining('It is done.') }]);
    expect(heard[0]?.text).toContain('Message-ID: <n-1@ostinato.test>');
  });

  it('gets nothing under another authority, or without one', async () => {
    const { port, heard } = await listen(options);
    for (const authorities of [trusted(stranger.ca), undefined]) {
      const sent = sendMail(address(port), mail, authorities);
      await expect(sent).rejects.toThrow(/certificate/i);
      // It may be put right within the day.
      expect(isPermanent(await sent.catch((error: unknown) => error))).toBe(false);
    }
    expect(heard).toEqual([]);
  });

  it('refuses another password for good, and a message without one', async () => {
    const { port, heard } = await listen(options);
    for (const who of ['runs:guess@', '']) {
      const error = await sendMail(address(port, who), mail, trusted(authority.ca)).catch((thrown: unknown) => thrown);
      expect(isPermanent(error), String(error)).toBe(true);
    }
    expect(heard).toEqual([]);
  });
});
