/** A run that goes on: a line for each stage with a bar, as many as the screen holds. */
import type { z } from 'zod';
import type { RunStageView, RunView } from '../../schema/pipeline-views.ts';
import type { Output, Style } from '../output.ts';
import { clean, cut, formatDuration, widthOf } from '../text.ts';
import { approvalLines } from './pipeline.ts';

type Stage = z.output<typeof RunStageView>;

const SYMBOLS: Record<Stage['status'], [symbol: string, style: Style]> = {
  pending: ['·', 'dim'],
  waiting: ['?', 'yellow'],
  running: ['●', 'cyan'],
  retrying: ['↻', 'yellow'],
  completed: ['✔', 'green'],
  failed: ['✖', 'red'],
  skipped: ['–', 'dim'],
  compensated: ['↺', 'yellow'],
  cancelled: ['■', 'yellow'],
};

const MOST_NAME = 28;
const MOST_BAR = 24;
const LEAST_BAR = 6;
/** What stands behind the bar is aligned up to here. */
const PERCENT = 5;

export interface Size {
  columns: number;
  rows: number;
}

/** At most `rows` lines of at most `columns` columns. `now` in ms: running stages count up to it. */
export function stageLines(out: Output, run: RunView, name: string, size: Size, now: number): string[] {
  const head = cut(
    clean(`${name}  ${run.status} ${percent(run.progress)}  ${sinceStart(run, now)}  run ${run.run_id}`),
    size.columns,
  );
  const tail = approvalLines(out, run).map((line) => within(line, size.columns));
  const room = Math.max(1, size.rows - 1 - tail.length);
  const { shown, left } = choose(run.stages, room);
  const width = Math.min(MOST_NAME, Math.max(...shown.map((stage) => widthOf(clean(stage.name)))));
  const lines = shown.map((stage) => stageLine(out, stage, { name: width, columns: size.columns }, now));
  if (left.length > 0) lines.push(out.style('dim', cut(`  ${leftOut(left)}`, size.columns)));
  return [out.style('bold', head), ...lines, ...tail];
}

function stageLine(out: Output, stage: Stage, width: { name: number; columns: number }, now: number): string {
  const [symbol, style] = SYMBOLS[stage.status];
  const plain = clean(stage.name);
  const name = cut(plain, width.name) + ' '.repeat(Math.max(0, width.name - widthOf(plain)));
  const facts = factsOf(stage, now).join('  ');
  const share = stage.status === 'completed' ? 1 : stage.progress;
  const room = width.columns - (2 + width.name + 2 + 2 + PERCENT + 2 + Math.min(40, widthOf(facts)));
  const size = Math.min(MOST_BAR, room);
  const bar = size >= LEAST_BAR ? `${bars(share, size)}  ` : '';
  const rest = `${percent(share).padStart(PERCENT)}  ${facts}`;
  const used = 2 + width.name + 2 + widthOf(bar);
  return `${out.style(style, symbol)} ${name}  ${bar === '' ? '' : out.style(style, bar)}${cut(rest, Math.max(1, width.columns - used))}`.trimEnd();
}

function factsOf(stage: Stage, now: number): string[] {
  const facts: string[] = [];
  const why = stage.error?.detail ?? stage.reason;
  // Of these three the bar tells enough; why one waits says that it does.
  const told = ['pending', 'running', 'completed'].includes(stage.status) || (stage.status === 'waiting' && why);
  if (!told) facts.push(stage.status);
  if (stage.attempt > 1) facts.push(`try ${stage.attempt}`);
  const took = stageMs(stage, now);
  if (took !== null) facts.push(formatDuration(took));
  if (stage.items) facts.push(`${stage.items.by_status.completed ?? 0}/${stage.items.total} items`);
  if (stage.dataset) facts.push(rowsText(stage.dataset.rows));
  if (why) facts.push(clean(why));
  return facts;
}

function rowsText(rows: number): string {
  return `${rows.toLocaleString('en')} ${rows === 1 ? 'row' : 'rows'}`;
}

function stageMs(stage: Stage, now: number): number | null {
  if (stage.seconds !== null && stage.ended_at !== null) return stage.seconds * 1000;
  return stage.started_at === null ? null : Math.max(0, now - Date.parse(stage.started_at));
}

function sinceStart(run: RunView, now: number): string {
  if (run.started_at === null) return '';
  const end = run.completed_at === null ? now : Date.parse(run.completed_at);
  return formatDuration(Math.max(0, end - Date.parse(run.started_at)));
}

function bars(share: number, size: number): string {
  const full = Math.min(size, Math.max(0, Math.round(share * size)));
  return '█'.repeat(full) + '░'.repeat(size - full);
}

/** Rounded down: 100% is said only of what is whole. */
function percent(share: number): string {
  return `${Math.floor(Math.min(1, Math.max(0, share)) * 100)}%`;
}

/** What matters most when not all stages fit: what fails, waits or runs, then what comes next, then what is over. */
function choose(stages: Stage[], room: number): { shown: Stage[]; left: Stage[] } {
  if (stages.length <= room) return { shown: stages, left: [] };
  const urgency = (stage: Stage) => {
    if (stage.status === 'failed' || stage.status === 'waiting') return 0;
    if (stage.status === 'running' || stage.status === 'retrying') return 1;
    return stage.status === 'pending' ? 2 : 3;
  };
  const first = [...stages]
    .sort((a, b) => urgency(a) - urgency(b) || a.stage - b.stage)
    .slice(0, Math.max(1, room - 1));
  const chosen = new Set(first);
  return { shown: stages.filter((stage) => chosen.has(stage)), left: stages.filter((stage) => !chosen.has(stage)) };
}

function leftOut(stages: Stage[]): string {
  const counts = Map.groupBy(stages, (stage) => stage.status);
  return `and ${[...counts].map(([status, of]) => `${of.length} ${status}`).join(', ')}`;
}

/** A dressed line is measured without its dress; one that is too long loses it. */
function within(line: string, columns: number): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the dress is made of control characters
  const bare = line.replace(/\u001b\[[0-9;]*m/g, '');
  return widthOf(bare) <= columns ? line : cut(bare, columns);
}
