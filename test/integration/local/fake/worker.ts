/** The stand-in for the worker. */
process.argv.push('--worker');
await import('./child.ts');
