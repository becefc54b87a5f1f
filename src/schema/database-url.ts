/** How DATABASE_URL asks for TLS, in the one form that every driver connection is made from. */

/** Ways to ask for TLS that check the server; our driver checks fully for each of them. */
const CHECKED = ['require', 'verify-ca', 'verify-full'];

/**
 * The address with `authorities` (a PEM file) in it, where it asks for checked TLS and names no authority itself.
 * `require` and `verify-ca` are written as the full check that they are, or the driver warns of them at each start;
 * who wants libpq's weaker reading says `uselibpqcompat=true`.
 */
export function trustedDatabase(url: string | undefined, authorities: string | undefined): string | undefined {
  if (url === undefined) return undefined;
  const address = new URL(url);
  const { searchParams } = address;
  const mode = searchParams.get('sslmode');
  if (mode === null || !CHECKED.includes(mode)) return url;
  if (searchParams.get('uselibpqcompat') !== 'true') searchParams.set('sslmode', 'verify-full');
  if (authorities !== undefined && !searchParams.has('sslrootcert')) searchParams.set('sslrootcert', authorities);
  return address.href;
}
