/** Agents as processes of their own: the one of `examples/`, started, killed and started again by its process id. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const AGENT = fileURLToPath(new URL('../../examples/agent/agent.ts', import.meta.url));

export interface AgentProcess {
  name: string;
  agentId: string;
  /** What it has written so far: one JSON object a line. */
  output(): string;
  /** Kill -9, without a word to anybody. */
  kill(): Promise<void>;
  /** SIGTERM: it finishes what it has and ends. Resolves with its exit code. */
  stop(): Promise<number | null>;
}

/** Starts an agent and waits until it has registered itself; rejects with its output when it ends instead. */
export async function startAgent(
  where: { url: string; key: string },
  name: string,
  options: string[] = [],
): Promise<AgentProcess> {
  const child = spawn(process.execPath, [AGENT, '--url', where.url, '--name', name, ...options], {
    env: { ...process.env, OSTINATO_API_KEY: where.key, NODE_NO_WARNINGS: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  child.stderr.on('data', (chunk) => (output += chunk));
  const agentId = await registered(child, () => output);
  return {
    name,
    agentId,
    output: () => output,
    kill: () => end(child, 'SIGKILL').then(() => undefined),
    stop: () => end(child, 'SIGTERM'),
  };
}

async function registered(child: ChildProcess, output: () => string): Promise<string> {
  const until = Date.now() + 90_000;
  for (;;) {
    const agentId = /"event":"ready","agent_id":"([^"]+)"/.exec(output())?.[1];
    if (agentId !== undefined) return agentId;
    if (child.exitCode !== null || Date.now() > until) {
      child.kill('SIGKILL');
      throw new Error(`the agent did not register:\n${output()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => {
    child.once('exit', (code) => resolve(code));
    child.kill(signal);
  });
}
