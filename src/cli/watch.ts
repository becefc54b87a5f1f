/** Follows one file until its ingestion is over. */
import { z } from 'zod';
import { FileView } from '../schema/files.ts';
import type { Api } from './api.ts';
import type { ServerEvent } from './sse.ts';
import { type WatchOptions, watchUntil } from './watch-until.ts';

/** How a file stands, as far as events and answers have told. */
export type Progress = Pick<FileView, 'file_id' | 'status' | 'phase' | 'progress' | 'total_records'>;

const OVER = new Set(['completed', 'failed', 'cancelled']);
const ProgressData = z.object({ progress_percent: z.number(), records_processed: z.number() });

/**
 * Resolves with the file once it is completed, failed or cancelled. The percentage told to `onProgress` only grows.
 * Throws CliError: the file is gone (5), or the API stays away longer than `patienceMs` (3).
 */
export function watchFile(
  api: Api,
  fileId: string,
  options: WatchOptions & { onProgress(progress: Progress): void },
): Promise<FileView> {
  let known: Progress | undefined;
  const tell = (next: Progress) => {
    const progress = Math.max(known?.progress ?? 0, next.progress);
    const total_records = Math.max(known?.total_records ?? 0, next.total_records);
    const merged = { ...next, progress, total_records };
    const isNew = !known || Object.keys(merged).some((key) => merged[key as 'phase'] !== known?.[key as 'phase']);
    known = merged;
    if (isNew) options.onProgress(merged);
  };
  return watchUntil(
    api,
    {
      schema: FileView,
      path: `/api/v1/files/${fileId}`,
      // From now on: events of an earlier attempt would only mislead.
      events: `/api/v1/events?${new URLSearchParams({ file_id: fileId })}`,
      isOver: (view) => OVER.has(view.status),
      onView: ({ file_id, status, phase, progress, total_records }) =>
        tell({ file_id, status, phase, progress, total_records }),
      onEvent(event) {
        const percent = readProgress(event);
        if (!percent || known?.status !== 'processing') return false;
        tell({ ...known, progress: percent.progress_percent, total_records: percent.records_processed });
        return true;
      },
    },
    options,
  );
}

function readProgress(event: ServerEvent): z.output<typeof ProgressData> | undefined {
  if (event.name !== 'processing.progress') return undefined;
  try {
    return ProgressData.parse(JSON.parse(event.data));
  } catch {
    return undefined;
  }
}
