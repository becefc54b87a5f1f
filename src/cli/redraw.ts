/** A block of lines on a terminal that is drawn again in place. */

/** Where it is drawn, as big as it is at this moment. */
export interface Screen {
  write(text: string): unknown;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
}

export interface Block {
  /** Draws what `render` gives now. */
  draw(): void;
  /** Draws once more and leaves the lines standing; text may follow. */
  stop(): void;
}

const CLEAR_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';

/**
 * `render` gives lines for a screen of so many columns and rows; a line that is too long would break the drawing, so
 * it must not make one. Drawn again `everyMs` besides, for what moves by itself (durations).
 */
export function drawBlock(
  screen: Screen,
  render: (size: { columns: number; rows: number }) => string[],
  everyMs = 1_000,
): Block {
  let height = 0;
  let stopped = false;
  const size = () => ({ columns: Math.max(20, screen.columns ?? 80), rows: Math.max(5, screen.rows ?? 24) });
  const draw = () => {
    if (stopped) return;
    // The last row stays free: a newline there would scroll, and the way back up would be one short.
    const { columns, rows } = size();
    const lines = render({ columns: columns - 1, rows: rows - 1 }).slice(0, rows - 1);
    const up = height > 0 ? `\u001b[${height}A\r` : '';
    screen.write(`${up}${lines.map((line) => `${line}${CLEAR_LINE}\n`).join('')}${CLEAR_BELOW}`);
    height = lines.length;
  };
  const timer = setInterval(draw, everyMs);
  timer.unref();
  return {
    draw,
    stop() {
      if (stopped) return;
      clearInterval(timer);
      draw();
      stopped = true;
    },
  };
}
