/** Makes the namespace of a Temporal that we did not start ourselves fit for us: there, with our attributes, and kept. */
import type { Logger } from 'pino';
import type { Deps } from '../deps.ts';
import { SEARCH_ATTRIBUTES } from '../schema/names.ts';

const NOT_FOUND = 5;
const ALREADY_EXISTS = 6;
const KEYWORD = 2;
const DAY_SECONDS = 86_400;
/** Every service of a cluster learns of a change within its refresh interval, which is 10 s by default. */
const KNOWN_WITHIN_MS = 40_000;

type Needs = Pick<Deps, 'temporal' | 'config'>;

/**
 * Registers the namespace, adds the missing search attributes and raises a retention under RETENTION_DAYS; changes
 * nothing where all is well. What this caller may not do is left to an operator, with a line in the log that says
 * what. Throws only when the namespace is not there and cannot be made, or Temporal does not answer.
 */
export async function prepareNamespace(deps: Needs, log: Logger): Promise<void> {
  await ensureRetention(deps, log);
  await ensureSearchAttributes(deps, log);
}

async function ensureRetention(deps: Needs, log: Logger): Promise<void> {
  const { temporal, config } = deps;
  const namespace = config.TEMPORAL_NAMESPACE;
  const wanted = config.RETENTION_DAYS * DAY_SECONDS;
  const seconds = await retentionOf(deps);
  if (seconds === null) {
    await register(deps);
    log.info({ namespace, retention_days: config.RETENTION_DAYS }, 'registered the Temporal namespace');
    return;
  }
  if (seconds >= wanted) return;
  try {
    await temporal.workflowService.updateNamespace({
      namespace,
      config: { workflowExecutionRetentionTtl: { seconds: wanted as never } },
    });
    log.info({ namespace, from_seconds: seconds, retention_days: config.RETENTION_DAYS }, 'raised the retention');
  } catch (error) {
    log.warn(
      { namespace, reason: reasonOf(error) },
      `closed workflows stay ${Math.round(seconds / 3600)} hours in this namespace, not ${config.RETENTION_DAYS} days, ` +
        'and this caller may not change it: ask an operator to raise the retention',
    );
  }
}

/** Seconds; null where there is no such namespace. */
async function retentionOf({ temporal, config }: Needs): Promise<number | null> {
  try {
    const found = await temporal.workflowService.describeNamespace({ namespace: config.TEMPORAL_NAMESPACE });
    return Number(found.config?.workflowExecutionRetentionTtl?.seconds ?? 0);
  } catch (error) {
    if (codeOf(error) === NOT_FOUND) return null;
    throw error;
  }
}

async function register({ temporal, config }: Needs): Promise<void> {
  const namespace = config.TEMPORAL_NAMESPACE;
  try {
    await temporal.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: { seconds: (config.RETENTION_DAYS * DAY_SECONDS) as never },
    });
  } catch (error) {
    // Another worker was first.
    if (codeOf(error) === ALREADY_EXISTS) return;
    throw new Error(`Temporal has no namespace ${namespace} and it cannot be registered: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

async function ensureSearchAttributes(deps: Needs, log: Logger): Promise<void> {
  const { temporal, config } = deps;
  const namespace = config.TEMPORAL_NAMESPACE;
  const names = Object.values(SEARCH_ATTRIBUTES);
  // A list that counts and finds nothing asks for all of them at once, whoever may ask.
  const query = names.map((name) => `${name} = 'none'`).join(' AND ');
  const known = () => temporal.workflowService.countWorkflowExecutions({ namespace, query });
  if (await succeeds(known)) return;
  try {
    await eventually(async () => {
      const { customAttributes } = await temporal.connection.operatorService.listSearchAttributes({ namespace });
      const missing = names.filter((name) => customAttributes?.[name] === undefined);
      if (missing.length === 0) return;
      await temporal.connection.operatorService.addSearchAttributes({
        namespace,
        searchAttributes: Object.fromEntries(missing.map((name) => [name, KEYWORD])),
      });
      log.info({ namespace, search_attributes: missing }, 'added search attributes');
    });
    await eventually(known);
  } catch (error) {
    log.error(
      { namespace, search_attributes: names, reason: reasonOf(error) },
      'the search attributes may not all be there and could not be added: no workflow can start until an operator adds ' +
        'them (type Keyword)',
    );
  }
}

/** Tries until it works: a namespace or attribute that was just made is not known everywhere at once. */
async function eventually(act: () => Promise<unknown>): Promise<void> {
  const end = Date.now() + KNOWN_WITHIN_MS;
  for (;;) {
    try {
      await act();
      return;
    } catch (error) {
      if (Date.now() > end || FINAL.has(codeOf(error))) throw error;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }
}

/** PERMISSION_DENIED, UNIMPLEMENTED, UNAUTHENTICATED: asking again changes nothing. */
const FINAL: ReadonlySet<unknown> = new Set([7, 12, 16]);

async function succeeds(act: () => Promise<unknown>): Promise<boolean> {
  try {
    await act();
    return true;
  } catch {
    return false;
  }
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null)?.code;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
