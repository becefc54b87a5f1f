/** `ostinato search QUERY`: answers a question over everything that came in. */
import { type Command, Option } from 'commander';
import { CONTENT_TYPES, SOURCES } from '../../schema/names.ts';
import { QueryOutput, SEARCH_MODES } from '../../schema/query.ts';
import type { Act, CliContext } from '../context.ts';
import { parseChoices, parseCount } from '../parse.ts';
import { searchLines } from '../views/search.ts';

export interface SearchOptions {
  mode?: string;
  source?: string[];
  type?: string[];
  from?: string;
  to?: string;
  author?: string;
  limit?: number;
  cursor?: string;
}

export function addSearch(program: Command, act: Act): void {
  program
    .command('search')
    .summary('search what came in')
    .description(
      'Searches all records by words and meaning. Date words such as "last week" become a filter, which the answer shows.',
    )
    .argument('<query...>', 'words, "a phrase", -without')
    .addOption(new Option('--mode <mode>', 'how to search (default: hybrid)').choices(SEARCH_MODES))
    .option('-s, --source <source>', `only these: ${SOURCES.join(', ')}; may be repeated`, parseChoices(SOURCES))
    .option('-t, --type <type>', 'only these content types; may be repeated', parseChoices(CONTENT_TYPES))
    .option('--from <date>', 'from this date or time on (ISO 8601)')
    .option('--to <date>', 'until the end of this date, or before this time (ISO 8601)')
    .option('--author <name>', 'exactly as results show it')
    .option('-n, --limit <n>', 'at most so many results (1 to 100)', parseCount(1, 100))
    .option('--cursor <cursor>', 'go on after the page before')
    .action((words: string[], options: SearchOptions, command: Command) =>
      act(command, async (context) => {
        await search(context, words.join(' '), options);
        return undefined;
      }),
    );
}

/** Prints the results and resolves with the answer. */
export async function search(context: CliContext, query: string, options: SearchOptions): Promise<QueryOutput> {
  const { source, type, ...rest } = options;
  const body = {
    query,
    ...(source ? { sources: [...new Set(source)] } : {}),
    ...(type ? { content_types: [...new Set(type)] } : {}),
    mode: rest.mode,
    from: rest.from,
    to: rest.to,
    author: rest.author,
    limit: rest.limit,
    cursor: rest.cursor,
  };
  const answer = await context.api().call(QueryOutput, 'POST', '/api/v1/query', { body });
  const { results, ...summary } = answer;
  for (const result of results) context.out.line('search_result', result);
  context.out.line('search_summary', summary);
  for (const line of searchLines(context.out, answer)) context.out.say(line);
  return answer;
}
