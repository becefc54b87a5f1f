/** `ostinato version`. */
import type { Command } from 'commander';
import type { Act } from '../context.ts';

export function addVersion(program: Command, act: Act): void {
  program
    .command('version')
    .summary('the version of this command')
    .action((_options: object, command: Command) =>
      act(command, async ({ out, io }) => {
        out.line('version', { version: io.version, node: process.versions.node });
        out.say(`ostinato ${io.version} (Node ${process.versions.node})`);
        return undefined;
      }),
    );
}
