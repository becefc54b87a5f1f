/** Settings of TLS: what is missing or wrong is named by variable and file, before anything starts. */
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Config, loadConfig } from '../../../src/schema/config.ts';
import { checkTls, readAuthorities } from '../../../src/schema/tls.ts';
import { makeAuthority } from '../../support/authority.ts';

const authority = makeAuthority();
const server = authority.issue('server');
const other = authority.issue('other');
const file = (name: string, text: string) => {
  const path = join(authority.folder, name);
  writeFileSync(path, text);
  return path;
};
afterAll(() => authority.remove());

const load = (env: Record<string, string>): Config => loadConfig({ cwd: authority.folder, env });
const fault = (env: Record<string, string>): string => {
  try {
    checkTls(load(env));
    return '';
  } catch (error) {
    return (error as Error).message;
  }
};

describe('settings of TLS', () => {
  it('take both files or neither', () => {
    expect(fault({ TLS_CERT: server.cert })).toBe('TLS_KEY: must be set too, because TLS_CERT is');
    expect(fault({ TLS_KEY: server.key })).toBe('TLS_CERT: must be set too, because TLS_KEY is');
    expect(fault({ TEMPORAL_TLS_CERT: server.cert })).toContain('TEMPORAL_TLS_KEY: must be set too');
    expect(fault({ TLS_CERT: server.cert, TLS_KEY: server.key, TLS_CA: authority.ca })).toBe('');
  });

  it('name the variable and the file that is wrong, and quote nothing of it', () => {
    const absent = join(authority.folder, 'absent.pem');
    expect(fault({ TLS_CERT: absent, TLS_KEY: server.key })).toBe(`TLS_CERT: ${absent} is not there`);
    expect(fault({ TLS_CA: absent })).toBe(`TLS_CA: ${absent} is not there`);
    const text = file('text.pem', 'a-secret-in-the-wrong-file');
    expect(fault({ TLS_CERT: text, TLS_KEY: server.key })).toBe(`TLS_CERT: ${text} holds no certificate in PEM`);
    expect(fault({ TLS_CERT: server.cert, TLS_KEY: text })).toMatch(/^TLS_KEY: .*text\.pem holds no private key/);
    expect(fault({ TEMPORAL_TLS_CERT: server.cert, TEMPORAL_TLS_KEY: text })).toMatch(/^TEMPORAL_TLS_KEY: /);
    const broken = file('broken.pem', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
    expect(fault({ TLS_CA: broken })).toBe(`TLS_CA: ${broken} holds a certificate that cannot be read`);
    const wrong = fault({ TLS_CERT: server.cert, TLS_KEY: other.key });
    expect(wrong).toBe(`TLS_KEY: ${other.key} is not the key of the certificate in ${server.cert} (TLS_CERT)`);
    expect(fault({ TLS_CERT: authority.folder, TLS_KEY: server.key })).toContain('cannot be read (EISDIR)');
  });

  it('find files beside where the process was started, and say https', () => {
    copyFileSync(server.cert, join(authority.folder, 'here.pem'));
    const config = load({ TLS_CERT: 'here.pem', TLS_KEY: server.key, SERVER_PORT: '8443' });
    expect(config.TLS_CERT).toBe(join(authority.folder, 'here.pem'));
    expect(config.publicUrl).toBe('https://127.0.0.1:8443');
    expect(load({}).publicUrl).toMatch(/^http:/);
    expect(load({ TLS_CERT: 'here.pem', TLS_KEY: 'k', PUBLIC_URL: 'https://ostinato.example/' }).publicUrl).toBe(
      'https://ostinato.example',
    );
  });

  it('trust the public authorities and those of TLS_CA', () => {
    expect(readAuthorities({ TLS_CA: undefined })).toBeUndefined();
    const trusted = readAuthorities({ TLS_CA: authority.ca });
    expect(trusted?.length).toBeGreaterThan(50);
    expect(trusted?.at(-1)).toMatch(/^-----BEGIN CERTIFICATE/);
  });

  it('carry TLS_CA into DATABASE_URL where that asks for a checked connection', () => {
    const database = (url: string) => load({ DATABASE_URL: url, TLS_CA: authority.ca }).DATABASE_URL;
    const ca = encodeURIComponent(authority.ca);
    expect(database('postgres://u:p@h/d?sslmode=require')).toBe(
      `postgres://u:p@h/d?sslmode=verify-full&sslrootcert=${ca}`,
    );
    for (const kept of [
      'postgres://u:p@h/d',
      'postgres://u:p@h/d?sslmode=disable',
      'postgres://u:p@h/d?sslmode=no-verify',
      'postgres://u:p@h/d?sslmode=verify-full&sslrootcert=%2Fmine.pem',
    ]) {
      expect(database(kept)).toBe(kept);
    }
    const once = database('postgres://u:p@h/d?sslmode=verify-ca') ?? '';
    expect(database(once)).toBe(once);
  });
});
