/** `ostinato mcp`: the MCP door over stdin and stdout, for clients that start a program. */
import type { Command } from 'commander';
import type { Act } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';

export function addMcp(program: Command, act: Act): void {
  program
    .command('mcp')
    .summary('MCP over stdin and stdout')
    .description('Serves the MCP tools to a client that starts this command and talks through its pipes.')
    .option('--rooms <rooms>', 'only tools of these rooms, separated by commas')
    .action((options: { rooms?: string }, command: Command) =>
      act(command, async (context): Promise<ExitCode> => {
        const { url, apiKey } = context.target();
        // Loaded here: no other command needs the protocol's libraries.
        const { EXIT: MCP_EXIT, runStdio } = await import('../../mcp/stdio.ts');
        const address = `${url}/mcp${options.rooms ? `?${new URLSearchParams({ rooms: options.rooms })}` : ''}`;
        const { stdin, stdout, stderr } = context.io;
        const code = await Promise.race([
          runStdio({ url: address, apiKey, stdin, stdout, stderr }),
          aborted(context.signal).then(() => EXIT.interrupted),
        ]);
        if (code === MCP_EXIT.unreachable) return EXIT.unreachable;
        if (code === MCP_EXIT.refused) return EXIT.denied;
        return code === MCP_EXIT.ok ? EXIT.ok : code === EXIT.interrupted ? EXIT.interrupted : EXIT.failed;
      }),
    );
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
