/** What a no-op tool call over HTTP costs at the door, beside bare servers with the same tools, measured in turns. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { median, type Row } from '../row.ts';
import { NOOP, NOOP_ARGUMENTS, NOOP_OUTPUT } from './tools.ts';

/** Each server speaks the newest protocol it knows. */
const SERVERS = [
  { name: 'door', era: 'modern' },
  { name: 'bare-current', era: 'modern' },
  { name: 'registered-current', era: 'modern' },
  { name: 'bare-previous', era: 'legacy' },
  { name: 'registered-previous', era: 'legacy' },
] as const;
type Name = (typeof SERVERS)[number]['name'];

const CONCURRENCY = 8;
const SLICES = 4;
const WARM_UP_CALLS = 4_000;
const MOST_OVERHEAD = 1.3;

interface Running {
  name: Name;
  child: ChildProcess;
  url: string;
  era: 'modern' | 'legacy';
  agent: Agent;
  /** Median of a call, turn by turn. */
  milliseconds: number[];
  /** Calls per second, turn by turn. */
  rates: number[];
}

/**
 * `rounds`: turns each server gets, at least 5; `calls`: calls of a turn, once one by one and once at once. Many short
 * turns beat few long ones: what else the machine does then falls on all alike.
 */
export async function benchMcp(options: { rounds?: number; calls?: number } = {}): Promise<Row[]> {
  const rounds = options.rounds ?? 25;
  const calls = options.calls ?? 100;
  const servers = await Promise.all(SERVERS.map(({ name, era }) => start(name, era)));
  try {
    // The first calls of a process are its compiler's, not its own.
    for (const server of servers) await atOnce(server, WARM_UP_CALLS);
    const before = await Promise.all(servers.map(cpuSeconds));
    for (let round = 0; round < rounds; round++) {
      // A different one first each time, so that nobody always follows the same neighbour.
      const turn = [...servers.slice(round % servers.length), ...servers.slice(0, round % servers.length)];
      for (const server of turn) await oneByOne(server, calls);
      const seconds = new Map<Running, number>();
      // In slices, so close together that the rest of the machine weighs on all alike.
      for (let slice = 0; slice < SLICES; slice++) {
        for (const server of slice % 2 === 0 ? turn : turn.toReversed()) {
          seconds.set(server, (seconds.get(server) ?? 0) + (await atOnce(server, calls / SLICES)));
        }
      }
      for (const [server, taken] of seconds) server.rates.push(calls / taken);
    }
    const after = await Promise.all(servers.map(cpuSeconds));
    const cpuMs = after.map((seconds, i) => ((seconds - (before[i] ?? 0)) * 1_000) / (rounds * calls * 2));
    return report(servers, cpuMs);
  } finally {
    for (const { child, agent } of servers) {
      agent.destroy();
      child.kill();
    }
  }
}

async function start(name: Name, era: 'modern' | 'legacy'): Promise<Running> {
  const program = fileURLToPath(new URL('./serve.ts', import.meta.url));
  const child = spawn(process.execPath, [program, name], { stdio: ['pipe', 'pipe', 'inherit', 'ipc'] });
  if (!child.stdout) throw new Error('no output to read');
  const lines = createInterface({ input: child.stdout });
  const [url] = (await once(lines, 'line')) as [string];
  const agent = new Agent({ keepAlive: true, maxSockets: CONCURRENCY });
  return { name, child, url, era, agent, milliseconds: [], rates: [] };
}

/** What the server's process has used so far; unlike time on the clock it knows no neighbours. */
async function cpuSeconds({ child }: Running): Promise<number> {
  child.send('cpu');
  const [usage] = (await once(child, 'message')) as [{ user: number; system: number }];
  return (usage.user + usage.system) / 1e6;
}

async function oneByOne(server: Running, calls: number): Promise<void> {
  const taken: number[] = [];
  for (let i = 0; i < calls; i++) {
    const started = performance.now();
    await call(server);
    taken.push(performance.now() - started);
  }
  server.milliseconds.push(median(taken));
}

/** Seconds that it took. */
async function atOnce(server: Running, calls: number): Promise<number> {
  let left = calls;
  const worker = async () => {
    while (left-- > 0) await call(server);
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  return (performance.now() - started) / 1_000;
}

function call(server: Running): Promise<void> {
  const modern = server.era === 'modern';
  const params = {
    name: NOOP,
    arguments: NOOP_ARGUMENTS,
    ...(modern && {
      _meta: {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1' },
        'io.modelcontextprotocol/clientCapabilities': {},
      },
    }),
  };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': modern ? '2026-07-28' : '2025-11-25',
    ...(modern && { 'mcp-method': 'tools/call', 'mcp-name': NOOP }),
  };
  return new Promise((resolve, reject) => {
    const sent = request(server.url, { method: 'POST', agent: server.agent, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => {
        const good = response.statusCode === 200 && text.includes(JSON.stringify(NOOP_OUTPUT));
        if (good) resolve();
        else reject(new Error(`${server.name}: HTTP ${response.statusCode} ${text.slice(0, 300)}`));
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

function report(servers: Running[], cpuMs: number[]): Row[] {
  const of = (name: Name) => {
    const server = servers.find((candidate) => candidate.name === name);
    if (!server) throw new Error(`${name} was not measured`);
    return server;
  };
  // Compared turn by turn: what else the machine does slows neighbours in time alike.
  const ratio = median(ratios(of('door').milliseconds, of('bare-current').milliseconds));
  const faster = median(ratios(of('door').rates, of('bare-previous').rates));
  const figures = SERVERS.map(
    ({ name }, i) =>
      `${name} ${median(of(name).milliseconds).toFixed(2)} ms, ${Math.round(median(of(name).rates))}/s, ${(cpuMs[i] ?? Number.NaN).toFixed(2)} ms of processor time`,
  );
  console.log(figures.map((line) => `  ${line}`).join('\n'));
  const ms = (name: Name) => `${median(of(name).milliseconds).toFixed(2)} ms`;
  const rate = (name: Name) => `${Math.round(median(of(name).rates))}/s`;
  return [
    {
      id: 'c',
      what: 'a no-op MCP tool call over HTTP beside a bare server of the same SDK with the same tools',
      value: `${ratio.toFixed(2)} (${ms('door')} beside ${ms('bare-current')})`,
      target: `median ≤ ${MOST_OVERHEAD}`,
      met: ratio <= MOST_OVERHEAD,
    },
    {
      id: 'c',
      what: `calls per second, ${CONCURRENCY} at once, beside a bare server of the previous SDK generation`,
      value: `${faster.toFixed(2)}× (${rate('door')} beside ${rate('bare-previous')})`,
      target: '> 1×',
      met: faster > 1,
    },
  ];
}

function ratios(above: number[], below: number[]): number[] {
  return above.map((value, turn) => value / (below[turn] ?? Number.NaN));
}

if (import.meta.main) console.table(await benchMcp());
