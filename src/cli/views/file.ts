/** Files as people read them. */
import type { FileView } from '../../schema/files.ts';
import type { Output, Style } from '../output.ts';
import type { Column } from '../table.ts';
import { clean, formatBytes, formatDuration } from '../text.ts';

const STATUS_STYLE: Record<string, Style> = {
  completed: 'green',
  approved: 'green',
  delivered: 'green',
  active: 'green',
  running: 'cyan',
  processing: 'cyan',
  paused: 'yellow',
  cancelled: 'yellow',
  waiting: 'yellow',
  retrying: 'yellow',
  compensated: 'yellow',
  degraded: 'yellow',
  draining: 'yellow',
  failed: 'red',
  terminated: 'red',
  timed_out: 'red',
  rejected: 'red',
  expired: 'red',
  undelivered: 'red',
  unhealthy: 'red',
  offline: 'red',
};

/** A status in its colour, whatever has it. */
export function styleStatus(out: Output, cell: string): string {
  const style = STATUS_STYLE[cell.trim()];
  return style ? out.style(style, cell) : cell;
}

/** Ids are cut to their first part only where a terminal is too narrow for a table of whole ones. */
const WIDE_ENOUGH = 120;
const SHORT_ID = 8;

/** An id as a column shows it; commands take the short form too. `lead`: what all of them begin with. */
export function shownId(out: Output, id: string, lead = ''): string {
  if (out.width >= WIDE_ENOUGH) return id;
  return (id.startsWith(lead) ? id.slice(lead.length) : id).slice(0, SHORT_ID);
}

export function fileColumns(out: Output): Column<FileView>[] {
  const roomy: Column<FileView>[] = [
    { title: 'ERRORS', value: (file) => String(file.error_count), align: 'right' },
    { title: 'SIZE', value: (file) => formatBytes(file.size_bytes), align: 'right' },
  ];
  return [
    { title: 'FILE', value: (file) => shownId(out, file.file_id) },
    { title: 'STATUS', value: (file) => file.status, style: (cell) => styleStatus(out, cell) },
    { title: '%', value: (file) => String(file.progress), align: 'right' },
    { title: 'SOURCE', value: (file) => file.source_type },
    { title: 'RECORDS', value: (file) => String(file.total_records), align: 'right' },
    ...(out.width >= WIDE_ENOUGH ? roomy : []),
    { title: 'CREATED', value: (file) => out.time(file.created_at) },
    { title: 'NAME', value: (file) => file.filename, shrinkTo: 12 },
  ];
}

/** One file, whole. */
export function fileFields(out: Output, file: FileView): [string, string][] {
  const byType = Object.entries(file.records_by_type).map(([type, count]) => `${count} ${type}`);
  const metadata = Object.entries(file.metadata).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return [
    ['file', file.file_id],
    ['name', clean(file.filename)],
    ['workflow', file.workflow_id],
    ['source', file.source_type],
    ['status', `${styleStatus(out, file.status)} (${file.phase}, ${file.progress}%)`],
    ['records', `${file.total_records}${byType.length > 0 ? ` (${byType.join(', ')})` : ''}`],
    ['vectors', String(file.vector_count)],
    ['errors', String(file.error_count)],
    ['size', `${formatBytes(file.size_bytes)} (${file.size_bytes} bytes)`],
    ['sha256', file.sha256],
    ...(metadata.length > 0 ? [['metadata', clean(metadata.join(', '))] as [string, string]] : []),
    ['created', out.time(file.created_at)],
    ['started', out.time(file.started_at)],
    ['completed', out.time(file.completed_at)],
    ...(file.error ? [['error', `${clean(file.error.detail)} [${file.error.code}]`] as [string, string]] : []),
  ];
}

/** One or two lines about a file whose ingestion is over. */
export function fileSummary(out: Output, file: FileView, duplicate: boolean): string[] {
  const took =
    file.started_at && file.completed_at ? Date.parse(file.completed_at) - Date.parse(file.started_at) : undefined;
  const types = Object.entries(file.records_by_type).map(([type, count]) => `${count} ${type}`);
  const facts = [
    `${file.total_records} records${types.length > 0 ? ` (${types.join(', ')})` : ''}`,
    `${file.vector_count} vectors`,
    ...(file.error_count > 0 ? [`${file.error_count} unreadable`] : []),
    ...(took !== undefined && !duplicate ? [formatDuration(took)] : []),
  ];
  const lines = [
    `${styleStatus(out, file.status)}  ${clean(file.filename)}  ${facts.join(' · ')}${duplicate ? '  (already here)' : ''}`,
  ];
  if (file.error) lines.push(out.style('red', `${clean(file.error.detail)} [${file.error.code}]`));
  return lines;
}

const ERRORS_SHOWN = 5;

/** What could not be read, by place. */
export function fileErrors(file: FileView, most = ERRORS_SHOWN): string[] {
  const lines = file.errors
    .slice(0, most)
    .map((error) => `  ${clean(error.entry)}${error.line === null ? '' : `:${error.line}`}: ${clean(error.message)}`);
  if (file.error_count > lines.length && lines.length > 0) lines.push(`  and ${file.error_count - lines.length} more`);
  return lines;
}
