/** Names of entries inside an archive. */

/** The last part of a `/`-separated path. */
export function basename(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The folder that directly holds the entry, or null at the root. */
export function folder(path: string): string | null {
  const end = path.lastIndexOf('/');
  if (end <= 0) return null;
  return path.slice(path.lastIndexOf('/', end - 1) + 1, end) || null;
}

/** The last part without its extension. */
export function stem(path: string): string {
  return basename(path).replace(/\.[A-Za-z0-9]{1,6}$/, '');
}

/** Finder and Explorer leave these in archives. */
export function isClutter(path: string): boolean {
  const name = basename(path);
  return path.startsWith('__MACOSX/') || path.includes('/__MACOSX/') || name.startsWith('.') || name === 'Thumbs.db';
}
