/** A WebSocket that signs in counts like any other request of its caller. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeKey, openStand, type Stand } from '../api/stand.ts';
import { connect, type LiveServer, startServer } from '../live/stage.ts';

let stand: Stand;
let server: LiveServer;
beforeAll(async () => {
  stand = await openStand({}, { RATE_LIMIT_READ: '3' });
  server = await startServer(stand);
});
afterAll(async () => {
  await server.close();
  await stand.close();
});

it('is refused with a code once the limit is used up, at whichever door', async () => {
  const { key } = await makeKey(stand.deps, 'developer');
  const open = [await connect(server, { token: key }), await connect(server, { token: key })];
  const page = await fetch(`http://127.0.0.1:${server.port}/docs`, { headers: { authorization: `Bearer ${key}` } });
  expect([page.status, page.headers.get('ratelimit-remaining')]).toEqual([200, '0']);
  const late = await connect(server);
  late.send({ type: 'auth', token: key });
  expect(await late.closed).toEqual({ code: 4429, reason: '3 read requests a minute are allowed' });
  const other = await makeKey(stand.deps, 'developer');
  open.push(await connect(server, { token: other.key }));
  for (const client of open) await client.close();
});
