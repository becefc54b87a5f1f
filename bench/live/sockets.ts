/** A process that holds many WebSockets and notes when each event arrived at each of them. */
import WebSocket from 'ws';
import { type Commits, type FromSockets, moment, type Start, type ToSockets } from './messages.ts';

const MARK = Buffer.from('"bench_mark":');
const AT_ONCE = 50;

/** By socket: arrivals by the number of the event. */
const arrivals: Map<number, number>[] = [];
let repeated = 0;

function tell(message: FromSockets): void {
  process.send?.(message);
}

async function open({ url, token, sockets }: Start): Promise<void> {
  for (let n = 0; n < sockets; n += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, sockets - n) }, () => connect(url, token)));
  }
  tell({ kind: 'open' });
}

function connect(url: string, token: string): Promise<void> {
  const ws = new WebSocket(url, { perMessageDeflate: false });
  const heard = new Map<number, number>();
  arrivals.push(heard);
  return new Promise((resolve, reject) => {
    ws.once('open', () => ws.send(JSON.stringify({ type: 'auth', token })));
    ws.once('error', reject);
    ws.on('close', (code) => reject(new Error(`closed with ${code}`)));
    ws.on('message', (data: Buffer) => {
      const at = moment();
      const mark = markOf(data);
      if (mark === null) return resolve();
      if (heard.has(mark)) repeated += 1;
      heard.set(mark, at);
    });
  });
}

/** Without parsing it all: what is measured is the server. */
function markOf(data: Buffer): number | null {
  const at = data.indexOf(MARK);
  return at < 0 ? null : Number.parseInt(data.toString('latin1', at + MARK.length, at + MARK.length + 12), 10);
}

/** Waits for the last ones, then reports. */
async function report({ moments }: Commits): Promise<void> {
  const until = Date.now() + 10_000;
  const expected = moments.length * arrivals.length;
  const count = () => arrivals.reduce((sum, heard) => sum + heard.size, 0);
  while (count() < expected && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 50));
  const latencies = arrivals.flatMap((heard) => [...heard].map(([mark, at]) => at - (moments[mark] ?? Number.NaN)));
  tell({ kind: 'done', latencies, missing: expected - latencies.length, repeated });
}

process.on('message', (message: ToSockets) => {
  const done = message.kind === 'start' ? open(message) : report(message);
  done.catch((error) => {
    console.error(error);
    process.exit(1);
  });
});
// Ends with the process that measures.
process.on('disconnect', () => process.exit(0));
