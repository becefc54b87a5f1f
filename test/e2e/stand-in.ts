/**
 * Somebody else's web server, as a process of its own: `node stand-in.ts FILE` prints its port. Each path fails in its
 * way: `/fine` gives the file, `/flaky` is slow and cut off the first time, answers 500 the second, and then is fine,
 * `/gone` is 404, `/elsewhere` redirects to another host, `/endless` sends a little and then nothing more.
 */
import { readFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';

const content = readFileSync(process.argv[2] ?? '');
let flaky = 0;

async function slowly(response: ServerResponse, bytes: Uint8Array, pieces: number): Promise<void> {
  const step = Math.ceil(bytes.length / pieces);
  for (let at = 0; at < bytes.length; at += step) {
    response.write(bytes.subarray(at, at + step));
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const server = createServer(async (request, response) => {
  const path = request.url ?? '/';
  process.stdout.write(`${path}\n`);
  if (path === '/gone') return response.writeHead(404).end('no such file');
  if (path === '/elsewhere') return response.writeHead(302, { location: 'http://localhost.example/file' }).end();
  if (path === '/endless') {
    response.writeHead(200, { 'content-length': content.length });
    return response.write(content.subarray(0, 100));
  }
  if (path === '/flaky') {
    flaky++;
    if (flaky === 2) return response.writeHead(500).end('not now');
    response.writeHead(200, { 'content-length': content.length });
    if (flaky > 1) {
      await slowly(response, content, 10);
      return response.end();
    }
    await slowly(response, content.subarray(0, Math.floor(content.length / 2)), 5);
    return response.destroy();
  }
  return response.writeHead(200, { 'content-length': content.length }).end(content);
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.stdout.write(`port ${typeof address === 'object' ? address?.port : 0}\n`);
});
