/** Temporal's own log lines in the house's log. */
import { DefaultLogger, type Logger } from '@temporalio/worker';
import type { Logger as Pino } from 'pino';

const LEVELS = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;

export function temporalLogger(log: Pino): Logger {
  // Below warnings the SDK tells each task of each workflow.
  return new DefaultLogger('WARN', ({ level, message, meta }) => {
    log[LEVELS[level]]({ ...meta }, message);
  });
}
