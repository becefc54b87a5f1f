/** Lists that come in pages. */
import type { Command } from 'commander';
import type { z } from 'zod';
import { pageOf } from '../schema/files.ts';
import type { Api, Query } from './api.ts';
import type { CliContext } from './context.ts';
import { parseCount } from './parse.ts';

export interface PageOptions {
  limit?: number;
  cursor?: string;
  all?: boolean;
}

/** Adds `--limit`, `--cursor` and `--all` to a command. */
export function addPaging(command: Command): Command {
  return command
    .option('-n, --limit <n>', 'at most so many in one page (1 to 200)', parseCount(1, 200))
    .option('--cursor <cursor>', 'go on after this place, which the page before named')
    .option('--all', 'every page to the end');
}

const MOST_A_PAGE = 200;

/** How a page of these items is read. */
export type PageOf<T extends z.ZodType> = z.ZodType<{ items: z.output<T>[]; next_cursor: string | null }>;

interface List<T extends z.ZodType> {
  item: T;
  /** Where a page is not the usual one. */
  page?: PageOf<T>;
  path: string;
  query: Query;
  options: PageOptions;
}

/**
 * Hands every page to `show` and says how to go on where more follows: a line of kind `page` in JSON, a sentence on a
 * terminal. With `--all` it follows to the end.
 */
export async function showPages<T extends z.ZodType>(
  context: CliContext,
  list: List<T>,
  show: (items: z.output<T>[], first: boolean) => void | Promise<void>,
): Promise<void> {
  let cursor = list.options.cursor;
  for (let first = true; ; first = false) {
    const page = await fetchPage(context.api(), list, cursor);
    await show(page.items, first);
    cursor = page.next_cursor ?? undefined;
    if (cursor === undefined) return;
    if (list.options.all) continue;
    context.out.line('page', { next_cursor: cursor, truncated: true });
    context.out.say(context.out.style('dim', `More follows: --cursor ${cursor}, or --all`));
    return;
  }
}

function fetchPage<T extends z.ZodType>(api: Api, list: List<T>, cursor: string | undefined) {
  const limit = list.options.limit ?? (list.options.all ? MOST_A_PAGE : undefined);
  return api.call(list.page ?? pageOf(list.item), 'GET', list.path, { query: { ...list.query, limit, cursor } });
}
