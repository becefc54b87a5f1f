/** Ids as a person types them: whole, or the first part that tables show. */
import type { z } from 'zod';
import { pageOf } from '../schema/files.ts';
import type { Api, Query } from './api.ts';
import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import type { PageOf } from './pages.ts';
import { withArticle } from './text.ts';

const WHOLE = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const PREFIX = /^[0-9a-f][0-9a-f-]{3,}$/i;
const PAGES_SEARCHED = 10;

export interface Listed<T extends z.ZodType> {
  /** `file`, `key`. */
  noun: string;
  path: string;
  item: T;
  /** A page of the list, where it is not the usual one. */
  page?: PageOf<T>;
  /** Narrows the list. */
  query?: Query;
  idOf(item: z.output<T>): string | undefined;
  /** What every id begins with, before its UUID: `task-`. */
  lead?: string;
  /** The command that shows ids; `ostinato <noun>s list` unless told. */
  listing?: string;
}

/** The whole id that `given` stands for, looked up among the newest ones. Throws CliError: unknown (5), ambiguous (2). */
export async function resolveId<T extends z.ZodType>(api: Api, given: string, listed: Listed<T>): Promise<string> {
  const { noun, lead = '' } = listed;
  const bare = given.toLowerCase().startsWith(lead) ? given.slice(lead.length).toLowerCase() : given.toLowerCase();
  if (WHOLE.test(bare)) return lead + bare;
  if (!PREFIX.test(bare)) {
    throw new CliError(EXIT.usage, `${given}: no id of ${withArticle(noun)}`, {
      hint: `Ids, or their first 4 or more characters, are in \`${listed.listing ?? `ostinato ${noun}s list`}\`.`,
    });
  }
  const found = new Set<string>();
  let cursor: string | undefined;
  for (let page = 0; page < PAGES_SEARCHED; page++) {
    const { items, next_cursor } = await api.call(listed.page ?? pageOf(listed.item), 'GET', listed.path, {
      query: { ...listed.query, limit: 200, cursor },
    });
    for (const item of items) {
      const id = listed.idOf(item);
      if (id?.startsWith(lead + bare)) found.add(id);
    }
    if (next_cursor === null) break;
    cursor = next_cursor;
  }
  const [id, another] = found;
  if (id === undefined) throw new CliError(EXIT.notFound, `No ${noun} begins with ${given}`);
  if (another !== undefined) {
    throw new CliError(EXIT.usage, `${given} stands for ${found.size} ${noun}s`, { hint: [...found].join(' ') });
  }
  return id;
}
