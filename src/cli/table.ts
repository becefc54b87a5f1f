/** Aligned tables that fit a terminal. */
import { clean, cut, widthOf } from './text.ts';

export interface Column<T> {
  title: string;
  /** Text as it is; it is cleaned here. */
  value(row: T): string;
  align?: 'left' | 'right';
  /** May be cut when the table is too wide for the terminal, down to this many columns. Absent: never cut. */
  shrinkTo?: number;
  /** Dresses a cell that has its final width. */
  style?(cell: string, row: T): string;
}

const GAP = '  ';

/** The table's lines, its title line first. `width` Infinity cuts nothing. */
export function renderTable<T>(
  columns: Column<T>[],
  rows: T[],
  options: { width: number; title(text: string): string },
): string[] {
  const cells = rows.map((row) => columns.map((column) => clean(column.value(row))));
  const widths = fitWidths(
    columns,
    columns.map((column, at) => Math.max(widthOf(column.title), ...cells.map((line) => widthOf(line[at] ?? '')))),
    options.width,
  );
  const line = (texts: string[], dress: (cell: string, at: number) => string) =>
    texts.map((text, at) => dress(pad(text, widths[at] ?? 0, columns[at]?.align), at)).join(GAP);
  return [
    options.title(
      line(
        columns.map((column) => column.title),
        (cell) => cell,
      ).trimEnd(),
    ),
    ...rows.map((row, index) =>
      line(cells[index] ?? [], (cell, at) => columns[at]?.style?.(cell, row) ?? cell).trimEnd(),
    ),
  ];
}

function pad(text: string, width: number, align: 'left' | 'right' | undefined): string {
  const shown = cut(text, width);
  const space = ' '.repeat(Math.max(0, width - widthOf(shown)));
  return align === 'right' ? space + shown : shown + space;
}

/** Takes columns from the widest shrinkable column until the table fits or nothing gives any more. */
function fitWidths<T>(columns: Column<T>[], natural: number[], total: number): number[] {
  const widths = [...natural];
  let over = widths.reduce((sum, width) => sum + width, 0) + GAP.length * (columns.length - 1) - total;
  while (over > 0) {
    let widest = -1;
    for (const [at, column] of columns.entries()) {
      const width = widths[at] ?? 0;
      if (column.shrinkTo === undefined || width <= column.shrinkTo) continue;
      if (widest < 0 || width > (widths[widest] ?? 0)) widest = at;
    }
    if (widest < 0) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
    over--;
  }
  return widths;
}
