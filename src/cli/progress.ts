/** How an upload and an ingestion are shown while they go on: bars, JSON lines, or a line a phase. */
import { MultiBar, type SingleBar } from 'cli-progress';
import type { Output } from './output.ts';
import { clean, cut, formatBytes } from './text.ts';
import type { Progress } from './watch.ts';

export interface ProgressView {
  /** Bytes of the file sent so far. */
  upload(sent: number): void;
  /** The API has the file. */
  uploaded(): void;
  ingestion(progress: Progress): void;
  /** Ends the showing; text may follow. */
  stop(): void;
}

const NAME_COLUMNS = 24;
/** JSON lines about an upload come at most this often. */
const LINE_EVERY_MS = 5_000;

/** `size` null: a pipe, whose end nobody knows. `stream` carries the bars. */
export function showProgress(
  output: Output,
  subject: { name: string; size: number | null },
  stream: NodeJS.WritableStream,
): ProgressView {
  if (output.json) return asLines(output, subject);
  return output.interactive ? asBars(subject, stream, output.width) : asText(output, subject);
}

function asBars(
  subject: { name: string; size: number | null },
  stream: NodeJS.WritableStream,
  width: number,
): ProgressView {
  const name = cut(clean(subject.name), NAME_COLUMNS).padEnd(Math.min(NAME_COLUMNS, clean(subject.name).length));
  const bars = new MultiBar({
    format: '{name}  {step}  {bar}  {percentage}%  {note}',
    // What stands beside the bar: name, step, percentage, note and the gaps.
    barsize: Math.max(8, Math.min(40, width - name.length - 50)),
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
    // The signal handling of the command line does the cleaning up.
    gracefulExit: false,
    stream,
    fps: 10,
  });
  let uploading: SingleBar | undefined;
  let ingesting: SingleBar | undefined;
  const total = Math.max(1, subject.size ?? 1);
  const sizes = (sent: number) =>
    subject.size === null ? formatBytes(sent) : `${formatBytes(sent)} of ${formatBytes(subject.size)}`;
  const bar = (size: number, step: string) => bars.create(size, 0, { name, step: step.padEnd(10), note: '' });
  return {
    upload(sent) {
      uploading ??= bar(total, 'upload');
      uploading.update(subject.size === null ? 0 : sent, { note: sizes(sent) });
    },
    uploaded() {
      uploading?.update(total);
    },
    ingestion(progress) {
      ingesting ??= bar(100, progress.phase);
      const step = progress.status === 'processing' ? progress.phase : progress.status;
      ingesting.update(progress.progress, { step: step.padEnd(10), note: `${progress.total_records} records` });
    },
    stop() {
      bars.stop();
    },
  };
}

function asLines(output: Output, subject: { name: string; size: number | null }): ProgressView {
  let next = Date.now() + LINE_EVERY_MS;
  let last = 0;
  const line = () => output.line('upload', { filename: subject.name, sent_bytes: last, total_bytes: subject.size });
  return {
    upload(sent) {
      last = sent;
      if (Date.now() < next) return;
      next = Date.now() + LINE_EVERY_MS;
      line();
    },
    uploaded: line,
    ingestion: (progress) => output.line('progress', progress),
    stop() {},
  };
}

function asText(output: Output, subject: { name: string; size: number | null }): ProgressView {
  let told = '';
  return {
    upload() {},
    uploaded() {},
    ingestion(progress) {
      const step = `${progress.status} ${progress.phase}`;
      if (step === told) return;
      told = step;
      output.note(`${subject.name}: ${progress.status}, ${progress.phase}, ${progress.progress}%`);
    },
    stop() {},
  };
}
