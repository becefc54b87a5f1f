/** Reload on change, for `npm run dev`. */
import { watch } from 'node:fs';
import { fileURLToPath } from 'node:url';

const SOURCES = fileURLToPath(new URL('..', import.meta.url));

/** Calls `onChange` once a burst of changes below `src` is over, never twice at a time. Returns what ends it. */
export function watchSources(onChange: () => Promise<void>, folder: string = SOURCES): () => void {
  let timer: NodeJS.Timeout | undefined;
  let busy = Promise.resolve();
  const watcher = watch(folder, { recursive: true }, (_event, name) => {
    if (name === null || !/\.(ts|tsx|json|css|html)$/.test(name)) return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      busy = busy.then(onChange);
    }, 300);
  });
  return () => {
    clearTimeout(timer);
    watcher.close();
  };
}
