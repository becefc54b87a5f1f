/** A receiver of webhooks as a process of its own; prints its port, then a line of JSON for each delivery. */
import { createServer } from 'node:http';

/** `ok`, `slow`, `cut`, or a status; given in the path, so that one process plays all of them. */
createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.concat(chunks).toString();
    const { method, url, headers } = request;
    process.stdout.write(`${JSON.stringify({ method, url, headers, body })}\n`);
    const way = url?.split('/')[1] ?? 'ok';
    if (way === 'cut') {
      response.writeHead(200, { 'content-length': '100' });
      response.write('half');
      setImmediate(() => request.socket.destroy());
      return;
    }
    // Longer than anybody waits for.
    if (way === 'slow') return;
    if (way === 'redirect') response.writeHead(302, { location: '/ok' });
    else if (way === 'later') response.writeHead(503, { 'retry-after': '120' });
    else response.writeHead(way === 'ok' ? 204 : Number(way));
    response.end();
  });
}).listen(0, '127.0.0.1', function (this: { address(): unknown }) {
  const { port } = this.address() as { port: number };
  process.stdout.write(`${JSON.stringify({ port })}\n`);
});
