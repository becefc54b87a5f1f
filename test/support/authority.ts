/** A certificate authority of a test's own: made anew each time, so that nothing in the repository can expire. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** PEM files. */
export interface Issued {
  cert: string;
  key: string;
}

export interface Authority {
  /** PEM file to trust. */
  ca: string;
  folder: string;
  /** A certificate for localhost and 127.0.0.1, or for `names` (`DNS:…`, `IP:…`) instead; also fit for clients. */
  issue(name: string, names?: string): Issued;
  remove(): void;
}

/** The system's own. */
const OPENSSL = 'openssl';
const DAYS = '2';
const ELLIPTIC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

export function makeAuthority(title = 'Authority of a test'): Authority {
  const folder = mkdtempSync(join(tmpdir(), 'ostinato-ca-'));
  // Servers that change their user must be able to enter.
  chmodSync(folder, 0o755);
  const path = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => execFileSync(OPENSSL, args, { stdio: 'pipe' });
  openssl(
    ...['req', '-x509', ...ELLIPTIC, '-keyout', path('ca.key'), '-out', path('ca.pem'), '-days', DAYS],
    ...['-subj', `/CN=${title}`, '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=keyCertSign'],
  );
  return {
    ca: path('ca.pem'),
    folder,
    issue(name, names = 'DNS:localhost,IP:127.0.0.1') {
      const issued = { cert: path(`${name}.pem`), key: path(`${name}.key`) };
      openssl('req', ...ELLIPTIC, '-keyout', issued.key, '-out', path(`${name}.csr`), '-subj', `/CN=${name}`);
      writeFileSync(path(`${name}.ext`), `subjectAltName=${names}\nextendedKeyUsage=serverAuth,clientAuth\n`);
      openssl(
        ...['x509', '-req', '-in', path(`${name}.csr`), '-CA', path('ca.pem'), '-CAkey', path('ca.key')],
        ...['-CAcreateserial', '-days', DAYS, '-extfile', path(`${name}.ext`), '-out', issued.cert],
      );
      return issued;
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
