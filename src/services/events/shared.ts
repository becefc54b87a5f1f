/** Ways for many to use one database sparingly. */

/** Asks once for all who want to know: whoever comes while an answer is under way gets the next one. */
export function asked<T>(ask: () => Promise<T>): () => Promise<T> {
  let running: Promise<unknown> = Promise.resolve();
  let next: Promise<T> | undefined;
  return () => {
    next ??= running
      .catch(() => {})
      .then(() => {
        next = undefined;
        const answer = ask();
        running = answer;
        return answer;
      });
    return next;
  };
}

/** Lets `size` act at once, the others wait in the order they came. */
export function createTurns(size: number): <T>(act: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let free = size;
  return async (act) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await act();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
}
