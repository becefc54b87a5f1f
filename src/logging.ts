/** JSON logs on stderr; stdout belongs to the program's answers. */
import { destination, type Logger, pino } from 'pino';

/** `name` says which process speaks. Fields that could hold a secret are cut. */
export function createLog(level: string, name: string): Logger {
  return pino(
    {
      level,
      name,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: {
        paths: ['authorization', 'api_key', 'token', '*.authorization', '*.api_key', '*.token', '*.password'],
        censor: '********',
      },
      formatters: { level: (label) => ({ level: label }) },
    },
    destination({ dest: 2, sync: true }),
  );
}
