/**
 * Slack's mrkdwn turned into readable text: mentions by name, links with their address, entities decoded.
 * https://docs.slack.dev/messaging/formatting-message-text
 */
import { isoFromSeconds } from '../times.ts';
import type { Directory } from './people.ts';

const TOKEN = /<([^<>]+)>|&(amp|lt|gt);/g;
const ENTITY = /&(amp|lt|gt);/g;
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>' };

/** Converts one text; ids of mentioned users are added to `mentioned` when it is given. */
export function readable(text: string, directory: Directory, mentioned?: string[]): string {
  if (!text.includes('<') && !text.includes('&')) return text;
  return text.replace(TOKEN, (_whole, token: string | undefined, entity: string | undefined) =>
    token === undefined ? (ENTITIES[entity ?? ''] ?? '') : expand(token, directory, mentioned),
  );
}

function expand(token: string, directory: Directory, mentioned: string[] | undefined): string {
  const bar = token.indexOf('|');
  const target = bar < 0 ? token : token.slice(0, bar);
  const label = bar < 0 ? null : decode(token.slice(bar + 1)) || null;
  switch (target[0]) {
    case '@':
      return user(target.slice(1), label, directory, mentioned);
    case '#': {
      const name = directory.channel(target.slice(1))?.name ?? label ?? target.slice(1);
      return `#${name}`;
    }
    case '!':
      return special(target.slice(1), label, directory);
    default:
      return link(decode(target), label);
  }
}

function user(userId: string, label: string | null, directory: Directory, mentioned: string[] | undefined): string {
  const name = directory.user(userId) ?? label ?? userId;
  mentioned?.push(name);
  return name.startsWith('@') ? name : `@${name}`;
}

/** `<!here>`, `<!subteam^ID|@handle>`, `<!date^seconds^format|fallback>`. */
function special(target: string, label: string | null, directory: Directory): string {
  const [kind, argument] = target.split('^');
  if (kind === 'subteam') {
    const name = label ?? directory.usergroup(argument ?? '') ?? argument ?? 'group';
    return name.startsWith('@') ? name : `@${name}`;
  }
  if (kind === 'date') return label ?? isoFromSeconds(argument) ?? '';
  if (label !== null) return label.startsWith('@') ? label : `@${label}`;
  return `@${kind ?? ''}`;
}

/** A link keeps its address, so that a search for either finds it. */
export function link(address: string, label: string | null): string {
  const bare = address.replace(/^(?:mailto|tel):/, '');
  if (label === null || label === bare || address.endsWith(`//${label}`)) return bare;
  return `${label} (${bare})`;
}

function decode(text: string): string {
  return text.includes('&') ? text.replace(ENTITY, (_whole, entity: string) => ENTITIES[entity] ?? '') : text;
}
