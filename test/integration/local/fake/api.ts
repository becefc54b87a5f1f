/** The stand-in for the API. */
await import('./child.ts');
