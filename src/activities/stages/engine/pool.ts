/** Engine processes: one a job, kept warm for a minute after it, since starting one takes longer than a small job. */
import { join } from 'node:path';
import type { Config } from '../../../schema/config.ts';
import { Failure, type FailureCode } from '../../../schema/failures.ts';
import type { Copied, EngineError, Row, UserSql } from './messages.ts';
import { type EngineProcess, startEngine } from './process.ts';

const IDLE_MS = 60_000;

type Limits = Pick<Config, 'STAGE_MEMORY_MB' | 'STAGE_TEMP_MB' | 'STAGE_THREADS' | 'STAGE_CONCURRENCY'>;

export interface SessionOptions {
  /** The job's own folder; results go to `out/` in it. */
  folder: string;
  files: { path: string; label: string }[];
  userSql: UserSql[];
  views: string[];
  signal: AbortSignal;
  share(share: number): void;
  /** Where several engines work at once, each gets its part. */
  split?: number;
}

/** What a statement's failure is told as: its code, and words that say where. */
export interface Place {
  code?: FailureCode;
  /** Path in the configuration, or another word for what was being done. */
  at: string;
}

/** A sandboxed database: views over the job's files can be made, user SQL was judged, nothing else can be reached. */
export interface Session {
  /** Whether user SQL works row by row, so that it gives the same over all rows as over each part of them. */
  readonly rowWise: boolean;
  run(sql: string, place: Place): Promise<void>;
  query(sql: string, place: Place): Promise<Row[]>;
  /** Writes what `select` gives to `out/<file>`. `options` are those of COPY. */
  copy(select: string, file: string, options: string, place: Place): Promise<Copied & { path: string }>;
  close(): Promise<void>;
}

export interface EnginePool {
  /** Throws Failure('sql_denied') for user SQL that may not run; whatever is asked after an abort throws its reason. */
  open(options: SessionOptions): Promise<Session>;
  close(): Promise<void>;
}

export function createEnginePool(limits: Limits): EnginePool {
  const idle: { engine: EngineProcess; timer: NodeJS.Timeout }[] = [];
  const running = new Set<EngineProcess>();

  function take(): EngineProcess {
    for (let kept = idle.pop(); kept; kept = idle.pop()) {
      clearTimeout(kept.timer);
      if (!kept.engine.alive) continue;
      kept.engine.rest(false);
      return kept.engine;
    }
    return startEngine();
  }

  function keep(engine: EngineProcess): void {
    running.delete(engine);
    if (!engine.alive || idle.length >= limits.STAGE_CONCURRENCY) {
      engine.kill();
      return;
    }
    const timer = setTimeout(() => {
      idle.splice(
        idle.findIndex((kept) => kept.engine === engine),
        1,
      );
      engine.kill();
    }, IDLE_MS);
    timer.unref();
    engine.rest(true);
    idle.push({ engine, timer });
  }

  async function open(options: SessionOptions): Promise<Session> {
    options.signal.throwIfAborted();
    const engine = take();
    running.add(engine);
    engine.onShare = options.share;
    const stop = () => engine.kill();
    options.signal.addEventListener('abort', stop, { once: true });
    const split = options.split ?? 1;

    async function ask(task: Parameters<EngineProcess['ask']>[0], place: Place) {
      options.signal.throwIfAborted();
      try {
        return await engine.ask(task, (error) => failureOf(error, place));
      } catch (error) {
        // Killed on purpose: the reason says more than the killing.
        options.signal.throwIfAborted();
        throw error;
      }
    }

    let closed = false;
    async function close(): Promise<void> {
      if (closed) return;
      closed = true;
      options.signal.removeEventListener('abort', stop);
      engine.onShare = null;
      if (engine.alive && !options.signal.aborted) {
        await engine.ask({ op: 'close' }, (error) => failureOf(error, { at: 'close' })).catch(() => engine.kill());
      } else {
        engine.kill();
        await engine.ended;
      }
      keep(engine);
    }

    const job = {
      memoryMb: Math.max(32, Math.floor(limits.STAGE_MEMORY_MB / split)),
      threads: Math.max(1, Math.floor(limits.STAGE_THREADS / split)),
      tempMb: Math.max(1, Math.floor(limits.STAGE_TEMP_MB / split)),
      folder: options.folder,
      files: options.files,
      userSql: options.userSql,
      views: options.views,
    };
    let rowWise = true;
    try {
      const opened = await ask({ op: 'open', job }, { at: 'sql' });
      rowWise = 'rowWise' in opened && opened.rowWise;
    } catch (error) {
      await close();
      throw error;
    }
    return {
      rowWise,
      run: async (sql, place) => void (await ask({ op: 'run', sql }, place)),
      query: async (sql, place) => {
        const answer = await ask({ op: 'query', sql }, place);
        return 'rows' in answer ? answer.rows : [];
      },
      copy: async (select, file, copyOptions, place) => {
        const path = join(options.folder, 'out', file);
        const sql = `COPY (\n${select}\n) TO '${path.replaceAll("'", "''")}' (${copyOptions})`;
        const answer = await ask({ op: 'copy', sql, file: path }, place);
        if (!('copied' in answer)) throw new Failure('internal', 'The data engine answered something else');
        return { ...answer.copied, path };
      },
      close,
    };
  }

  return {
    open,
    close: async () => {
      for (const { engine, timer } of idle.splice(0)) {
        clearTimeout(timer);
        // Awaited from now on, it must hold this process up until it has ended.
        engine.rest(false);
        running.add(engine);
      }
      for (const engine of running) engine.kill();
      await Promise.all([...running].map((engine) => engine.ended));
    },
  };
}

function failureOf(error: EngineError, place: Place): Failure {
  const at = error.path || place.at;
  if (error.kind === 'limit') return new Failure('resource_limit', `${at}: ${error.message}`);
  if (error.kind === 'denied') return new Failure('sql_denied', `${at}: ${error.message}`);
  return new Failure(place.code ?? 'sql_failed', `${at}: ${error.message}`);
}
