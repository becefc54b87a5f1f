/** Where the steps of a transformation stand: the SELECT so far and its columns. */
import { type Column, POSITION } from '../job.ts';

/** A SELECT and what it gives, the position of each row among it. */
export interface Stand {
  sql: string;
  columns: Column[];
}

export function visible(columns: readonly Column[]): string[] {
  return columns.map((column) => column.name).filter((column) => column !== POSITION);
}

export function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
