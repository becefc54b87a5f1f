/** Settings of the systems that this one takes the place of, which have no effect here, and what to use instead. */

export const FORMER_SETTINGS: Readonly<Record<string, string>> = {
  MONGODB_URI: 'everything is kept in Postgres: DATABASE_URL',
  WS_PORT: 'WebSockets are at /ws on SERVER_PORT',
  SENTRY_DSN: 'errors are in the logs and metrics, traces go to OTEL_EXPORTER_OTLP_ENDPOINT',
  METRICS_ENABLED: '/metrics is always there: METRICS_TOKEN opens it beyond loopback',
};

/** One line that names each of them that is set; null when none is. Values, which may be secrets, are not told. */
export function formerSettings(given: Record<string, unknown>): string | null {
  const found = Object.entries(FORMER_SETTINGS).filter(([name]) => given[name] !== undefined);
  if (found.length === 0) return null;
  return `without effect here: ${found.map(([name, instead]) => `${name} (${instead})`).join('; ')}`;
}
