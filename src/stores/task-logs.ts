/** What agents and the house say of a task, line by line; the newest are kept. */
import { type Selectable, sql } from 'kysely';
import type { LogLevel } from '../schema/names.ts';
import type { Tables } from '../schema/tables.ts';
import { MAX_LOG_LINE, MAX_LOG_LINES } from '../schema/tasks.ts';
import type { Db, Trx } from './database.ts';

export type LogRow = Selectable<Tables['task_logs']>;

export interface NewLogLine {
  level: LogLevel;
  message: string;
  at: Date;
}

/** Adds lines, each cut to MAX_LOG_LINE characters, and takes out the oldest beyond MAX_LOG_LINES. */
export async function appendLogs(
  db: Db | Trx,
  attempt: { task_id: string; attempt: number },
  lines: NewLogLine[],
): Promise<void> {
  if (lines.length === 0) return;
  await db
    .insertInto('task_logs')
    .values(
      lines.map(({ level, message, at }) => ({
        task_id: attempt.task_id,
        attempt: attempt.attempt,
        at,
        level,
        message: cut(message),
      })),
    )
    .execute();
  await sql`
    DELETE FROM task_logs WHERE task_id = ${attempt.task_id} AND log_id <= (
      SELECT log_id FROM task_logs WHERE task_id = ${attempt.task_id}
      ORDER BY log_id DESC OFFSET ${MAX_LOG_LINES} LIMIT 1)
  `.execute(db);
}

function cut(message: string): string {
  return message.length <= MAX_LOG_LINE ? message : `${message.slice(0, MAX_LOG_LINE - 1).toWellFormed()}…`;
}

/** The newest `count` lines, oldest first. */
export async function lastLogs(db: Db, taskId: string, count: number): Promise<LogRow[]> {
  const rows = await db
    .selectFrom('task_logs')
    .selectAll()
    .where('task_id', '=', taskId)
    .orderBy('log_id', 'desc')
    .limit(count)
    .execute();
  return rows.reverse();
}
