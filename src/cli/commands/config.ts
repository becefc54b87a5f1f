/** `ostinato config`: every setting in force, secrets masked. Works without a running system. */
import type { Command } from 'commander';
import { describeConfig } from '../../schema/config.ts';
import type { Act } from '../context.ts';

export function addConfig(program: Command, act: Act): void {
  program
    .command('config')
    .summary('every setting in force')
    .description('Prints every setting from the environment and .env, secrets masked. Needs no running system.')
    .action((_options: object, command: Command) =>
      act(command, async ({ config, out }) => {
        const settings = describeConfig(config);
        for (const setting of settings) out.line('setting', setting);
        out.table(
          [
            { title: 'SETTING', value: ({ name }) => name },
            { title: 'VALUE', value: ({ value }) => value || '-', shrinkTo: 16 },
            { title: 'WHAT IT IS', value: ({ description }) => description, shrinkTo: 20 },
          ],
          settings,
        );
        return undefined;
      }),
    );
}
