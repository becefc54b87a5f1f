/** Follows one file until its ingestion is over: by events while they come, by asking while they do not. */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { FileView } from '../schema/files.ts';
import type { Api } from './api.ts';
import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import { followEvents, type ServerEvent } from './sse.ts';

/** How a file stands, as far as events and answers have told. */
export type Progress = Pick<FileView, 'file_id' | 'status' | 'phase' | 'progress' | 'total_records'>;

export interface WatchOptions {
  signal: AbortSignal;
  onProgress(progress: Progress): void;
  /** How long the API may be away before that is an error. */
  patienceMs?: number;
  /** Between two looks while events come, and while they do not. */
  pollMs?: { connected: number; alone: number };
}

const OVER = new Set(['completed', 'failed', 'cancelled']);
const ProgressData = z.object({ progress_percent: z.number(), records_processed: z.number() });

/**
 * The path of a file's events from now on. What came before is in the file itself; events of an earlier attempt
 * would only mislead.
 */
function eventsPath(fileId: string): string {
  return `/api/v1/events?${new URLSearchParams({ file_id: fileId })}`;
}

/**
 * Resolves with the file once it is completed, failed or cancelled. The percentage told to `onProgress` only grows.
 * Throws CliError: the file is gone (5), or the API stays away longer than `patienceMs` (3).
 */
export async function watchFile(api: Api, fileId: string, options: WatchOptions): Promise<FileView> {
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, options.signal]);
  const poll = options.pollMs ?? { connected: 5_000, alone: 1_000 };
  const patienceMs = options.patienceMs ?? 120_000;
  let connected = false;
  let known: Progress | undefined;
  let wake = Promise.withResolvers<void>();
  const tell = (next: Progress) => {
    const progress = Math.max(known?.progress ?? 0, next.progress);
    const total_records = Math.max(known?.total_records ?? 0, next.total_records);
    const merged = { ...next, progress, total_records };
    const isNew = !known || Object.keys(merged).some((key) => merged[key as 'phase'] !== known?.[key as 'phase']);
    known = merged;
    if (isNew) options.onProgress(merged);
  };
  const follow = async () => {
    const onState = (state: boolean) => {
      connected = state;
      // Whatever happened before the stream was open is asked for.
      if (state) wake.resolve();
    };
    for await (const event of followEvents(api, eventsPath(fileId), { signal, onState })) {
      const percent = readProgress(event);
      if (percent && known?.status === 'processing') {
        tell({ ...known, progress: percent.progress_percent, total_records: percent.records_processed });
      } else wake.resolve();
    }
  };
  // Where events are refused, asking alone goes on; a fault worth telling shows there too.
  const tolerantly = () =>
    follow().catch(() => {
      connected = false;
    });
  let following: Promise<void> | undefined;
  try {
    let awaySince: number | null = null;
    for (;;) {
      wake = Promise.withResolvers<void>();
      try {
        const view = await api.call(FileView, 'GET', `/api/v1/files/${fileId}`, { signal });
        awaySince = null;
        tell(pickProgress(view));
        if (OVER.has(view.status)) return view;
        following ??= tolerantly();
      } catch (error) {
        options.signal.throwIfAborted();
        if (!(error instanceof CliError) || error.exit !== EXIT.unreachable) throw error;
        awaySince ??= Date.now();
        if (Date.now() - awaySince >= patienceMs) throw error;
      }
      const pause = connected && awaySince === null ? poll.connected : poll.alone;
      const timer = new AbortController();
      await Promise.race([sleep(pause, undefined, { signal: AbortSignal.any([signal, timer.signal]) }), wake.promise])
        .catch(() => {})
        .finally(() => timer.abort());
      options.signal.throwIfAborted();
    }
  } finally {
    stop.abort();
    await following;
  }
}

function pickProgress({ file_id, status, phase, progress, total_records }: FileView): Progress {
  return { file_id, status, phase, progress, total_records };
}

function readProgress(event: ServerEvent): z.output<typeof ProgressData> | undefined {
  if (event.name !== 'processing.progress') return undefined;
  try {
    return ProgressData.parse(JSON.parse(event.data));
  } catch {
    return undefined;
  }
}
