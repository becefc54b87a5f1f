/** Certificates, keys and authorities from the files that the settings name, checked before anything is opened. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import tls from 'node:tls';
import { type Config, ConfigError } from './config.ts';

/** PEM text. */
export interface KeyPair {
  cert: string;
  key: string;
}

const BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** What the API speaks TLS with; null when it speaks plain HTTP. Throws ConfigError that names variable and file. */
export function readServerTls(config: Pick<Config, 'TLS_CERT' | 'TLS_KEY'>): KeyPair | null {
  return readPair(['TLS_CERT', config.TLS_CERT], ['TLS_KEY', config.TLS_KEY]);
}

/** The client certificate towards Temporal, or null. Throws ConfigError. */
export function readTemporalPair(config: Pick<Config, 'TEMPORAL_TLS_CERT' | 'TEMPORAL_TLS_KEY'>): KeyPair | null {
  return readPair(['TEMPORAL_TLS_CERT', config.TEMPORAL_TLS_CERT], ['TEMPORAL_TLS_KEY', config.TEMPORAL_TLS_KEY]);
}

/**
 * The public authorities and those of TLS_CA, one PEM each, for servers we connect to; undefined without TLS_CA, where
 * a client's own default is right. Throws ConfigError.
 */
export function readAuthorities(config: Pick<Config, 'TLS_CA'>): string[] | undefined {
  if (config.TLS_CA === undefined) return undefined;
  return [...tls.rootCertificates, ...certificatesIn('TLS_CA', config.TLS_CA)];
}

/**
 * Makes TLS_CA trusted by every client of this process that is told nothing else: for clients that take no authorities
 * of their own. Throws ConfigError.
 */
export function trustInProcess(config: Pick<Config, 'TLS_CA'>): void {
  const authorities = readAuthorities(config);
  if (!authorities) return;
  if (typeof tls.setDefaultCACertificates !== 'function') {
    throw new ConfigError([
      `TLS_CA: Node ${process.version} is too old for it here; set NODE_EXTRA_CA_CERTS to the file`,
    ]);
  }
  tls.setDefaultCACertificates(authorities);
}

/** Reads all of it, to say what is wrong before something is started. Throws ConfigError. */
export function checkTls(config: Config): void {
  readServerTls(config);
  readTemporalPair(config);
  readAuthorities(config);
}

type Named = [variable: string, path: string | undefined];

function readPair([certName, certPath]: Named, [keyName, keyPath]: Named): KeyPair | null {
  if (certPath === undefined || keyPath === undefined) return null;
  const [leaf] = certificatesIn(certName, certPath);
  const cert = read(certName, certPath);
  const key = read(keyName, keyPath);
  const parsed = attempt(keyName, keyPath, 'holds no private key in PEM without a passphrase', () =>
    createPrivateKey(key),
  );
  // The first certificate is the server's own; the rest is the chain.
  if (!new X509Certificate(leaf ?? '').checkPrivateKey(parsed)) {
    throw new ConfigError([`${keyName}: ${keyPath} is not the key of the certificate in ${certPath} (${certName})`]);
  }
  return { cert, key };
}

function certificatesIn(variable: string, path: string): string[] {
  const blocks = read(variable, path).match(BLOCK);
  if (!blocks) throw new ConfigError([`${variable}: ${path} holds no certificate in PEM`]);
  for (const block of blocks) {
    attempt(variable, path, 'holds a certificate that cannot be read', () => new X509Certificate(block));
  }
  return blocks;
}

function read(variable: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'is not there' : code === 'EACCES' ? 'may not be read' : `cannot be read (${code})`;
    throw new ConfigError([`${variable}: ${path} ${why}`]);
  }
}

function attempt<T>(variable: string, path: string, fault: string, step: () => T): T {
  try {
    return step();
  } catch {
    // The library's own words may quote what is in the file.
    throw new ConfigError([`${variable}: ${path} ${fault}`]);
  }
}
