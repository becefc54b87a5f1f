/** Which lines of a task's log are new, where each look shows only the newest. */

interface Line {
  timestamp: string;
  level: string;
  message: string;
}

/**
 * Gives of each look the lines that the one before did not show. `missed`: nothing of the look before is left, so
 * lines in between may have been passed over.
 */
export function newLines<T extends Line>(): (shown: T[]) => { lines: T[]; missed: boolean } {
  let before: string[] = [];
  return (shown) => {
    const keys = shown.map(({ timestamp, level, message }) => JSON.stringify([timestamp, level, message]));
    const common = overlap(before, keys);
    const missed = before.length > 0 && common === 0 && keys.length > 0;
    before = keys;
    return { lines: shown.slice(common), missed };
  };
}

/** How many of the last of `before` are the first of `after`. */
function overlap(before: string[], after: string[]): number {
  for (let size = Math.min(before.length, after.length); size > 0; size--) {
    const from = before.length - size;
    if (after.slice(0, size).every((key, index) => key === before[from + index])) return size;
  }
  return 0;
}
