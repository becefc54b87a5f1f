/** Headers that prove us to other people's services, from stored credentials. */
import { LRUCache } from 'lru-cache';
import type { Egress } from '../../clients/egress.ts';
import { askClientToken } from '../../clients/oauth-tokens.ts';
import type { Deps } from '../../deps.ts';
import { Failure } from '../../schema/failures.ts';
import { type CredentialRow, findCredential } from '../../stores/credentials.ts';
import { type MasterKey, open } from './seal.ts';

/** For a token whose server does not say how long it lasts. */
const UNSAID_MS = 300_000;
/** A token is left this long before its end, or a tenth of its life before when that is less. */
const MARGIN_MS = 60_000;
const MOST_TOKENS = 1_000;

export type OutgoingDeps = Pick<Deps, 'db'> & {
  config: MasterKey;
  egress: Pick<Egress, 'fetch'>;
};

interface Kept {
  /** Of the row that it was asked for with; another one makes it worthless. */
  credentialId: string;
  token: Promise<string>;
  /** The token once it is there. */
  value: string | null;
  until: number;
}

/** Tokens belong to the guard that they were fetched through, and go with it. */
const keptBy = new WeakMap<OutgoingDeps['egress'], LRUCache<string, Kept>>();

/**
 * Headers for an outgoing call in the name of `owner`. A client-credentials token is kept until shortly before its end
 * and asked for once when several want it. Throws Failure: `not_found` when the owner has no such credential,
 * `unsealable` when MASTER_KEY is another one, and what `askClientToken` throws.
 */
export async function authorizeOutgoing(
  deps: OutgoingDeps,
  owner: string,
  name: string,
): Promise<Record<string, string>> {
  const row = await findCredential(deps.db, owner, name);
  if (!row) throw new Failure('not_found', `No credential ${name}`);
  const { kind, config } = row;
  if (kind === 'oauth2_client_credentials') return { authorization: `Bearer ${await tokenOf(deps, row)}` };
  const secret = open(deps.config, row, row.sealed);
  if (kind === 'bearer') return { authorization: `Bearer ${secret}` };
  if (kind === 'header') return { [(config.header ?? 'x-api-key').toLowerCase()]: secret };
  return { authorization: `Basic ${Buffer.from(`${config.username ?? ''}:${secret}`).toString('base64')}` };
}

/**
 * Drops the kept token after the other side refused it with 401, so that the next call asks for a new one. With the
 * `headers` that were refused, only that token is dropped and not one that came in between.
 */
export function forget(deps: OutgoingDeps, owner: string, name: string, headers?: Record<string, string>): void {
  const tokens = tokensOf(deps);
  const kept = tokens.get(placeOf(owner, name));
  if (!kept || (headers && headers.authorization !== `Bearer ${kept.value}`)) return;
  tokens.delete(placeOf(owner, name));
}

async function tokenOf(deps: OutgoingDeps, row: CredentialRow): Promise<string> {
  const tokens = tokensOf(deps);
  const place = placeOf(row.owner, row.name);
  const kept = tokens.get(place);
  if (kept && kept.credentialId === row.credential_id && kept.until > Date.now()) return kept.token;
  const asked = Date.now();
  const entry: Kept = {
    credentialId: row.credential_id,
    value: null,
    // While it is being asked for.
    until: Number.POSITIVE_INFINITY,
    token: askClientToken(deps.egress, row.config, open(deps.config, row, row.sealed)).then(
      ({ token, expiresInSeconds }) => {
        const life = expiresInSeconds === null ? UNSAID_MS : expiresInSeconds * 1_000;
        entry.value = token;
        entry.until = asked + life - Math.min(MARGIN_MS, life / 10);
        return token;
      },
    ),
  };
  tokens.set(place, entry);
  try {
    return await entry.token;
  } catch (error) {
    if (tokens.get(place) === entry) tokens.delete(place);
    throw error;
  }
}

function tokensOf(deps: OutgoingDeps): LRUCache<string, Kept> {
  const tokens = keptBy.get(deps.egress) ?? new LRUCache<string, Kept>({ max: MOST_TOKENS });
  keptBy.set(deps.egress, tokens);
  return tokens;
}

/** Neither part can hold the character between them. */
function placeOf(owner: string, name: string): string {
  return `${owner}\u0000${name}`;
}
