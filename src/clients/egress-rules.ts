/** Which addresses outgoing calls may reach: public ones, and private ones that the operator listed. */
import ipaddr from 'ipaddr.js';
import { Failure } from '../schema/failures.ts';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

interface Rule {
  host: string | null;
  block: [Address, number] | null;
  /** Null: every port. */
  port: number | null;
}

export interface EgressRules {
  /** Whether the host, by name or as an address in a block, is listed: then http will do, whatever it resolves to. */
  lists(host: string, port: number): boolean;
  /** Null when the address may be connected to, else what is wrong with it. */
  refusal(address: string, port: number): string | null;
}

/**
 * `allow` holds host names, addresses and CIDR blocks, each with an optional port: `jira.internal`, `10.0.0.0/8`,
 * `127.0.0.1:8080`, `[::1]:8080`, `[fd00::/8]:443`. Throws Failure('invalid_input') for an entry that is none of these.
 */
export function egressRules(allow: string[]): EgressRules {
  const rules = allow.map(parseRule);
  const listed = (address: Address, port: number) =>
    rules.some((rule) => rule.block && within(address, rule.block) && matchesPort(rule, port));
  return {
    lists(host, port) {
      const name = bareHost(host);
      if (ipaddr.isValid(name) && listed(ipaddr.process(name), port)) return true;
      return rules.some((rule) => rule.host === name && matchesPort(rule, port));
    },
    refusal(text, port) {
      if (!ipaddr.isValid(text)) return 'no address';
      const address = ipaddr.process(text);
      if (listed(address, port)) return null;
      const range = hiddenRange(address);
      return range === 'unicast' ? null : range;
    },
  };
}

/** Lower case, without the brackets of IPv6 and the final dot that means the same host. */
export function bareHost(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
}

/**
 * The range that an address belongs to; only `unicast` is public. IPv6 forms that carry an IPv4 address (NAT64, 6to4,
 * Teredo and the like) are ranges of their own in ipaddr.js and so refused: they could lead to a private one.
 */
function hiddenRange(address: Address): string {
  const range = address.range();
  // fec0::/10, site-local until RFC 3879 and still routed so by some, counts as unicast in the library.
  if (address.kind() === 'ipv6' && address.match(ipaddr.IPv6.parse('fec0::'), 10)) return 'siteLocal';
  // ::a.b.c.d, the deprecated IPv4-compatible form.
  if (address.kind() === 'ipv6' && address.match(ipaddr.IPv6.parse('::'), 96)) return 'ipv4Compatible';
  return range;
}

function parseRule(entry: string): Rule {
  const [, bracketed, plain, portText] =
    /^(?:\[([^\]]+)\]|([^:[\]]+|[0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:./]*))(?::(\d{1,5}))?$/i.exec(entry) ?? [];
  const target = bracketed ?? plain;
  const port = portText === undefined ? null : Number(portText);
  if (target !== undefined && (port === null || (port > 0 && port < 65_536))) {
    if (ipaddr.isValidCIDR(target)) {
      const [network, bits] = ipaddr.parseCIDR(target);
      return { host: null, block: [network, bits], port };
    }
    if (ipaddr.isValid(target)) {
      const address = ipaddr.process(target);
      return { host: null, block: [address, address.kind() === 'ipv4' ? 32 : 128], port };
    }
    if (/^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?$/i.test(target)) return { host: bareHost(target), block: null, port };
  }
  throw new Failure('invalid_input', `EGRESS_ALLOW: ${JSON.stringify(entry)} is no host, address or CIDR block`);
}

function matchesPort(rule: { port: number | null }, port: number): boolean {
  return rule.port === null || rule.port === port;
}

function within(address: Address, [network, bits]: [Address, number]): boolean {
  return address.kind() === network.kind() && address.match(network, bits);
}
