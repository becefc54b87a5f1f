/** Turns one page of ranked ids into results with marked text and links. */
import type { SearchResult } from '../../schema/query.ts';
import { RESULT_TEXT_CHARACTERS } from '../../schema/query.ts';
import type { Db } from '../../stores/database.ts';
import { type ContentFilter, type FoundRow, readPage } from '../../stores/search.ts';
import type { TextSearch } from './words.ts';

export async function readResults(
  db: Db,
  ranked: readonly { id: string; score: number }[],
  options: { filter: ContentFilter; search: TextSearch | null },
): Promise<SearchResult[]> {
  if (ranked.length === 0) return [];
  const scores = new Map(ranked.map(({ id, score }) => [id, score]));
  const terms = options.search?.terms ?? [];
  const rows = await readPage(
    db,
    ranked.map(({ id }) => id),
    {
      filter: options.filter,
      match: terms.length === 0 ? null : terms.map((term) => `(${term.query})`).join(' | '),
      textCharacters: RESULT_TEXT_CHARACTERS,
    },
  );
  return rows.map((row) => toResult(row, scores.get(row.id) ?? 0));
}

function toResult({ marked, file_id, occurred_at, ...row }: FoundRow, score: number): SearchResult {
  return {
    ...row,
    highlights: escapeHtml(marked.replaceAll('\u0001', '<'))
      .replaceAll('\u0002', '<mark>')
      .replaceAll('\u0003', '</mark>'),
    score,
    occurred_at: occurred_at?.toISOString() ?? null,
    links: {
      record: `/api/v1/records/${row.id}`,
      file: file_id === null ? null : `/api/v1/files/${file_id}`,
    },
  };
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}
