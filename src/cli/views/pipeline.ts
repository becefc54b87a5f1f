/** Pipelines, their runs, stages, artifacts and approvals as people read them. */
import type { z } from 'zod';
import type {
  ApprovalView,
  ArtifactView,
  PipelineSummary,
  PipelineView,
  RunStageView,
  RunSummary,
  RunView,
} from '../../schema/pipeline-views.ts';
import type { Output } from '../output.ts';
import type { Column } from '../table.ts';
import { clean, formatBytes } from '../text.ts';
import { shownId, styleStatus } from './file.ts';

type Planned = Pick<z.output<typeof PipelineView>, 'stages' | 'dependencies'>;
type Pipeline = z.output<typeof PipelineSummary>;
type Run = z.output<typeof RunSummary>;
type Stage = z.output<typeof RunStageView>;
type Artifact = z.output<typeof ArtifactView>;
type Approval = z.output<typeof ApprovalView>;

export function pipelineColumns(out: Output): Column<Pipeline>[] {
  return [
    { title: 'PIPELINE', value: (pipeline) => shownId(out, pipeline.pipeline_id) },
    { title: 'NAME', value: (pipeline) => pipeline.name, shrinkTo: 12 },
    { title: 'VERSION', value: (pipeline) => String(pipeline.version), align: 'right' },
    { title: 'UPDATED', value: (pipeline) => out.time(pipeline.updated_at) },
    { title: 'DESCRIPTION', value: (pipeline) => pipeline.description, shrinkTo: 12 },
  ];
}

/** Stages as a definition has them. */
export function plannedColumns({ stages, dependencies }: Planned): Column<Planned['stages'][number]>[] {
  const needs = (stage: Planned['stages'][number]) => {
    const index = stages.indexOf(stage);
    return dependencies.filter(({ to }) => to === index).map(({ from }) => stages[from]?.name ?? String(from));
  };
  return [
    { title: 'STAGE', value: (stage) => String(stages.indexOf(stage)), align: 'right' },
    { title: 'NAME', value: (stage) => stage.name },
    { title: 'TYPE', value: (stage) => stage.operation ?? stage.type },
    { title: 'AFTER', value: (stage) => needs(stage).join(', ') || '-', shrinkTo: 10 },
    { title: 'REQUIRED', value: (stage) => (stage.required ? 'yes' : 'no') },
    { title: 'WHEN', value: (stage) => stage.when ?? '-', shrinkTo: 8 },
  ];
}

export function runColumns(out: Output): Column<Run>[] {
  return [
    { title: 'RUN', value: (run) => shownId(out, run.run_id) },
    { title: 'STATUS', value: (run) => run.status, style: (cell) => styleStatus(out, cell) },
    { title: '%', value: (run) => String(Math.floor(run.progress * 100)), align: 'right' },
    { title: 'VERSION', value: (run) => String(run.version), align: 'right' },
    { title: 'ATTEMPT', value: (run) => String(run.attempt), align: 'right' },
    { title: 'CREATED', value: (run) => out.time(run.created_at) },
    { title: 'TOOK', value: (run) => tookOf(out, run.started_at, run.completed_at), align: 'right' },
    { title: 'ERROR', value: (run) => run.error?.detail ?? '-', shrinkTo: 10 },
  ];
}

export function stageColumns(out: Output): Column<Stage>[] {
  return [
    { title: 'STAGE', value: (stage) => String(stage.stage), align: 'right' },
    { title: 'NAME', value: (stage) => stage.name, shrinkTo: 10 },
    { title: 'TYPE', value: (stage) => stage.type },
    { title: 'STATUS', value: (stage) => stage.status, style: (cell) => styleStatus(out, cell) },
    { title: 'TRIES', value: (stage) => String(stage.attempt), align: 'right' },
    {
      title: 'TOOK',
      value: (stage) => (stage.seconds === null ? '-' : out.duration(stage.seconds * 1000)),
      align: 'right',
    },
    { title: 'ROWS', value: (stage) => stage.dataset?.rows.toLocaleString('en') ?? '-', align: 'right' },
    { title: 'NOTE', value: (stage) => noteOf(stage), shrinkTo: 10 },
  ];
}

function noteOf(stage: Stage): string {
  const items = stage.items && `${stage.items.by_status.completed ?? 0} of ${stage.items.total} items`;
  return [items, stage.error?.detail ?? stage.reason].filter(Boolean).join(', ') || '-';
}

export function artifactColumns(): Column<Artifact>[] {
  return [
    // Whole: it is how the artifact is asked for.
    { title: 'NAME', value: (artifact) => artifact.name },
    { title: 'TYPE', value: (artifact) => artifact.media_type, shrinkTo: 10 },
    { title: 'ROWS', value: (artifact) => artifact.rows?.toLocaleString('en') ?? '-', align: 'right' },
    { title: 'SIZE', value: (artifact) => formatBytes(artifact.bytes), align: 'right' },
    { title: 'SHA256', value: (artifact) => artifact.sha256.slice(0, 12) },
  ];
}

export function approvalColumns(out: Output): Column<Approval>[] {
  return [
    { title: 'APPROVAL', value: (approval) => shownId(out, approval.approval_id) },
    { title: 'STATUS', value: (approval) => approval.status, style: (cell) => styleStatus(out, cell) },
    { title: 'RUN', value: (approval) => shownId(out, approval.run_id) },
    { title: 'STAGE', value: (approval) => String(approval.stage), align: 'right' },
    { title: 'ASKED', value: (approval) => out.time(approval.requested_at) },
    { title: 'UNTIL', value: (approval) => out.time(approval.deadline) },
    { title: 'MESSAGE', value: (approval) => approval.message || '-', shrinkTo: 12 },
  ];
}

/** A run's own fields; its stages are a table of their own. */
export function runFields(out: Output, run: RunView): [string, string][] {
  return [
    ['run', run.run_id],
    ['pipeline', `${run.pipeline_id}, version ${run.version}`],
    ['workflow', run.workflow_id],
    ['status', `${styleStatus(out, run.status)} (${Math.floor(run.progress * 100)}%, attempt ${run.attempt})`],
    ['owner', clean(run.owner)],
    ['created', out.time(run.created_at)],
    ['took', tookOf(out, run.started_at, run.completed_at)],
    ['web ui', clean(run.links.ui)],
    ...(run.error ? [['error', `${clean(run.error.detail)} [${run.error.code}]`] as [string, string]] : []),
  ];
}

/** What a waiting approval needs: who decides, and how. */
export function approvalLines(out: Output, run: Pick<RunView, 'approvals' | 'stages'>): string[] {
  return run.approvals.flatMap((approval) => {
    const name = run.stages.find((stage) => stage.stage === approval.stage)?.name ?? String(approval.stage);
    const about = approval.message ? `: ${approval.message}` : '';
    return [
      out.style('yellow', clean(`${name} waits for a decision until ${approval.deadline}${about}`)),
      `  ostinato approvals approve ${shownId(out, approval.approval_id)}   (or reject)`,
    ];
  });
}

/** The end of a run in a line, and what made it fail. */
export function runSummary(out: Output, run: RunView, name: string): string[] {
  const over = run.stages.filter((stage) => stage.status === 'completed').length;
  const facts = [`${over} of ${run.stages.length} stages`, tookOf(out, run.started_at, run.completed_at)];
  const lines = [`${styleStatus(out, run.status)}  ${clean(name)}  ${facts.join(' · ')}`];
  for (const stage of run.stages) {
    if (stage.status !== 'failed' || !stage.error) continue;
    lines.push(out.style('red', `${clean(`${stage.name}: ${stage.error.detail}`)} [${stage.error.code}]`));
  }
  if (lines.length === 1 && run.error) {
    lines.push(out.style('red', `${clean(run.error.detail)} [${run.error.code}]`));
  }
  return lines;
}

function tookOf(out: Output, from: string | null, to: string | null): string {
  return from && to ? out.duration(Date.parse(to) - Date.parse(from)) : '-';
}
