/** Where a command's answers go: tables and sentences for people, JSON lines for programs. */
import { styleText } from 'node:util';
import { type Column, renderTable } from './table.ts';
import { clean, formatDuration, relativeTime } from './text.ts';

/** The part of a terminal or pipe that is used here. */
export interface Sink {
  write(text: string): unknown;
  isTTY?: boolean | undefined;
  columns?: number | undefined;
  /** A terminal answers by its own abilities and by NO_COLOR. */
  hasColors?(): boolean;
}

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

export interface Output {
  /** JSON lines instead of text. */
  readonly json: boolean;
  /** A person is looking: progress bars and relative times make sense. */
  readonly interactive: boolean;
  /** Columns to fill; Infinity where nothing is to be cut. */
  readonly width: number;
  /** One JSON object on a line of its own; `kind` says what it is. Only with `json`. */
  line(kind: string, fields: object): void;
  /** A line of text. Nothing with `json`. */
  say(text?: string): void;
  /** A remark on stderr that is no part of the answer. */
  note(text: string): void;
  table<T>(columns: Column<T>[], rows: T[]): void;
  /** `label   value` pairs, aligned. */
  fields(pairs: [string, string][]): void;
  style(style: Style, text: string): string;
  /** A time for people: relative on a terminal, ISO elsewhere, `-` for none. */
  time(iso: string | null | undefined): string;
  duration(ms: number): string;
}

export function createOutput(options: {
  stdout: Sink;
  stderr: Sink;
  /** True or false when told by an option; undefined: JSON lines unless stdout is a terminal. */
  json: boolean | undefined;
  now?: () => number;
}): Output {
  const { stdout, stderr } = options;
  const terminal = stdout.isTTY === true;
  const json = options.json ?? !terminal;
  const colors = terminal && stdout.hasColors?.() === true;
  const width = terminal ? Math.max(40, stdout.columns ?? 80) : Number.POSITIVE_INFINITY;
  const now = options.now ?? Date.now;
  const style = (name: Style, text: string) => (colors ? styleText(name, text, { validateStream: false }) : text);
  const say = (text = '') => {
    if (!json) stdout.write(`${text}\n`);
  };
  return {
    json,
    interactive: terminal && stderr.isTTY === true && !json,
    width,
    line(kind, fields) {
      if (json) stdout.write(`${toLine({ kind, ...fields })}\n`);
    },
    say,
    note(text) {
      stderr.write(`${clean(text)}\n`);
    },
    table(columns, rows) {
      for (const line of renderTable(columns, rows, { width, title: (text) => style('bold', text) })) say(line);
    },
    fields(pairs) {
      const longest = Math.max(...pairs.map(([label]) => label.length));
      for (const [label, value] of pairs) say(`${style('dim', label.padEnd(longest))}  ${value}`);
    },
    style,
    time(iso) {
      if (!iso) return '-';
      return terminal ? relativeTime(iso, now()) : iso;
    },
    duration: formatDuration,
  };
}

/** JSON without raw control characters, also those that JSON itself would let through. */
function toLine(value: object): string {
  return JSON.stringify(value).replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
