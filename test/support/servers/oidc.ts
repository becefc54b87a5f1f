/** A real authorization server (oidc-provider) as a process of its own: keys, discovery, introspection, client credentials. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { freePort } from '../../../src/local/ports.ts';
import { answers, type RunningServer, startServer } from './process.ts';

/** What tokens asked for with this resource name as their audience. */
export const OIDC_AUDIENCE = 'https://ostinato.test';
/** The client that may ask about tokens, and clients whose tokens say `role` in their name. */
export const OIDC_CLIENTS = ['asker', 'viewer', 'analyst', 'developer', 'operator', 'admin', 'nobody'] as const;
/** Of every client. */
export const OIDC_SECRET = 'a secret / of 40 characters: + & = % and :';

export interface OidcServer extends RunningServer {
  issuer: string;
  /** Private halves of the keys in force, by algorithm, for tokens that no honest server signs. */
  keys: Record<string, JWK>;
  /** A token for this client: a JWT signed so, or an opaque one when `alg` is null. */
  token(client: (typeof OIDC_CLIENTS)[number], alg: string | null): Promise<string>;
  /** Other keys under other ids from here on. */
  rotate(): Promise<void>;
}

export async function startOidc(): Promise<OidcServer> {
  const port = await freePort();
  const issuer = `http://127.0.0.1:${port}`;
  const keys: Record<string, JWK> = {};
  let file = '';
  const server = await startServer('oidc', (folder) => {
    file = join(folder, 'keys.json');
    return {
      name: 'oidc',
      command: process.execPath,
      args: [fileURLToPath(import.meta.url), String(port), file],
      cwd: folder,
      prepare: async () => {
        Object.assign(keys, await newKeys());
        writeFileSync(file, JSON.stringify({ keys: Object.values(keys) }));
      },
      readyTimeoutMs: 30_000,
      stopTimeoutMs: 2_000,
      isReady: () => answers(`${issuer}/.well-known/openid-configuration`),
    };
  });
  return {
    ...server,
    issuer,
    keys,
    token: (client, alg) => askToken(issuer, client, alg),
    // Each start makes new keys.
    rotate: () => server.service.restart(),
  };
}

async function askToken(issuer: string, client: string, alg: string | null): Promise<string> {
  const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: client, client_secret: OIDC_SECRET });
  if (alg !== null) body.set('resource', `${OIDC_AUDIENCE}/${alg}`);
  const response = await fetch(`${issuer}/token`, { method: 'POST', body });
  const answer = (await response.json()) as { access_token?: string };
  if (answer.access_token === undefined) throw new Error(`no token: ${JSON.stringify(answer)}`);
  return answer.access_token;
}

/** One key for RSA (RS256 and PS256), one for ES256, one for EdDSA; the ids say when they were made. */
async function newKeys(): Promise<Record<string, JWK>> {
  const entries = ['RS256', 'ES256', 'EdDSA'].map(async (alg) => {
    const { privateKey } = await generateKeyPair(alg, { extractable: true });
    return [alg, { ...(await exportJWK(privateKey)), kid: `${alg}-${Date.now()}`, use: 'sig' }] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

async function serve(port: number, file: string): Promise<void> {
  // @ts-expect-error The package has no types.
  const { default: Provider } = await import('oidc-provider');
  const clients = OIDC_CLIENTS.map((client_id) => ({
    client_id,
    client_secret: OIDC_SECRET,
    grant_types: ['client_credentials'],
    response_types: [],
    redirect_uris: [],
    token_endpoint_auth_method: client_id === 'asker' ? 'client_secret_basic' : 'client_secret_post',
  }));
  const provider = new Provider(`http://127.0.0.1:${port}`, {
    clients,
    jwks: JSON.parse(readFileSync(file, 'utf8')),
    enabledJWA: { requestObjectSigningAlgValues: [] },
    extraTokenClaims: (_context: unknown, token: { clientId: string }) =>
      token.clientId === 'nobody'
        ? {}
        : { role: token.clientId === 'analyst' ? ['viewer', 'analyst'] : token.clientId },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context: unknown, resource: string) => ({
          audience: OIDC_AUDIENCE,
          scope: '',
          accessTokenTTL: 600,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: resource.slice(OIDC_AUDIENCE.length + 1) } },
        }),
      },
    },
  });
  provider.listen(port, '127.0.0.1');
}

if (import.meta.main) await serve(Number(process.argv[2]), process.argv[3] ?? '');
