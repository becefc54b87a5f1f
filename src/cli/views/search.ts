/** Search results as people read them. */
import type { QueryOutput, SearchResult } from '../../schema/query.ts';
import type { Output } from '../output.ts';
import { clean, widthOf, wrap } from '../text.ts';

const MOST_LINES = 3;
const INDENT = '   ';
/** Where nothing is cut, lines are still kept readable. */
const READABLE = 100;
const MARK = /<\/?mark>/g;
const ENTITIES: Record<string, string> = {
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&#39;': "'",
  '&#x27;': "'",
  '&amp;': '&',
};

export function searchLines(out: Output, answer: QueryOutput): string[] {
  const lines: string[] = [];
  if (answer.interpreted) lines.push(out.style('dim', interpretedText(answer.interpreted)));
  if (answer.notice) lines.push(out.style('yellow', clean(answer.notice)));
  for (const [index, result] of answer.results.entries()) {
    if (index > 0) lines.push('');
    lines.push(...resultLines(out, index + 1, result));
  }
  if (answer.results.length > 0) lines.push('');
  const total =
    answer.total > answer.result_count ? ` of ${answer.total_is_exact ? '' : 'more than '}${answer.total}` : '';
  const facts = [
    `${answer.result_count}${total} result${answer.result_count === 1 && total === '' ? '' : 's'}`,
    `${Math.round(answer.response_time_ms * 10) / 10} ms`,
    answer.mode,
    ...(answer.cache_hit ? ['from cache'] : []),
  ];
  lines.push(out.style('dim', facts.join(' · ')));
  if (answer.next_cursor) lines.push(out.style('dim', `More follows: --cursor ${answer.next_cursor}`));
  return lines;
}

function resultLines(out: Output, rank: number, result: SearchResult): string[] {
  const width = Math.min(out.width, READABLE) - INDENT.length;
  const about = [
    `${result.source_type}/${result.content_type}`,
    result.author,
    result.occurred_at && out.time(result.occurred_at),
  ]
    .filter((part): part is string => typeof part === 'string' && part !== '')
    .map(clean);
  const [first = '', ...more] = wrap(clean(result.title ?? plain(result.highlights).slice(0, 200)), width - 1, 2);
  return [
    `${String(rank).padStart(2)} ${out.style('bold', first)}`,
    ...more.map((line) => INDENT + out.style('bold', line)),
    INDENT + out.style('cyan', about.join(' · ')),
    // Without a title the text itself is the heading; once is enough where it fits.
    ...(result.title === null && more.length === 0 ? [] : excerpt(out, result, width).map((line) => INDENT + line)),
  ];
}

/** The marked text in a few lines; marks become bold, and bold is put on after measuring. */
function excerpt(out: Output, result: SearchResult, width: number): string[] {
  const marked = new Set(
    [...result.highlights.matchAll(/<mark>(.*?)<\/mark>/gs)].flatMap((match) => words(plain(match[1] ?? ''))),
  );
  return wrap(clean(plain(result.highlights || result.text)), width, MOST_LINES).map((line) =>
    line
      .split(' ')
      .map((word) =>
        words(word).some((part) => marked.has(part)) && widthOf(word) > 0 ? out.style('yellow', word) : word,
      )
      .join(' '),
  );
}

function words(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

/** The text of safe HTML that holds nothing but <mark> and entities. */
function plain(html: string): string {
  return html.replace(MARK, '').replace(/&(?:lt|gt|quot|amp|#39|#x27);/g, (entity) => ENTITIES[entity] ?? entity);
}

function interpretedText({ phrase, from, to }: NonNullable<QueryOutput['interpreted']>): string {
  const day = (iso: string) => iso.replace(/T00:00:00(?:\.000)?Z$/, '');
  const range = [from && `from ${day(from)}`, to && `before ${day(to)}`].filter(Boolean).join(' ');
  return clean(`"${phrase}" understood as ${range}`);
}
