/** dlt (PyPI) loading the same records into the same Postgres, in a schema of its own. */
export async function dltAvailable(): Promise<boolean> {
  return false;
}
export async function dltLoad(_databaseUrl: string): Promise<number> {
  throw new Error('x');
}
