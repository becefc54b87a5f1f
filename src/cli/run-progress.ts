/** How a run is shown while it goes on: stages drawn in place, JSON lines, or a line whenever a stage changes. */
import type { RunView } from '../schema/pipeline-views.ts';
import type { Output } from './output.ts';
import { drawBlock, type Screen } from './redraw.ts';
import { stageLines } from './views/stages.ts';

export interface RunProgress {
  update(run: RunView): void;
  /** Ends the showing; text may follow. */
  stop(): void;
}

/** `screen` carries the drawing. */
export function showRun(out: Output, name: string, screen: Screen): RunProgress {
  if (out.json) return byChange(lineOf(out));
  return out.interactive ? drawn(out, name, screen) : byChange(noteOf(out));
}

function drawn(out: Output, name: string, screen: Screen): RunProgress {
  let run: RunView | undefined;
  const block = drawBlock(screen, (size) => (run ? stageLines(out, run, name, size, Date.now()) : []));
  return {
    update(next) {
      run = next;
      block.draw();
    },
    stop: () => block.stop(),
  };
}

type Stage = RunView['stages'][number];
type Approval = RunView['approvals'][number];

interface Teller {
  stage(run: RunView, stage: Stage): void;
  approval(run: RunView, approval: Approval): void;
}

/** Tells each stage again when it has changed in what people follow, and each approval once. */
function byChange(tell: Teller): RunProgress {
  const told = new Map<string, string>();
  const isNew = (key: string, state: string) => {
    if (told.get(key) === state) return false;
    told.set(key, state);
    return true;
  };
  return {
    update(run) {
      for (const stage of run.stages) {
        // What has not begun is no news.
        if (stage.status === 'pending' && stage.attempt <= 1) continue;
        const tenths = Math.floor(stage.progress * 10);
        if (isNew(`stage ${stage.stage}`, `${run.attempt} ${stage.status} ${stage.attempt} ${tenths}`)) {
          tell.stage(run, stage);
        }
      }
      for (const approval of run.approvals) {
        if (isNew(`approval ${approval.approval_id}`, approval.status)) tell.approval(run, approval);
      }
    },
    stop() {},
  };
}

function lineOf(out: Output): Teller {
  return {
    stage: (run, stage) => out.line('stage', { run_id: run.run_id, run_progress: run.progress, ...stage }),
    approval: (_run, approval) => out.line('approval', approval),
  };
}

function noteOf(out: Output): Teller {
  return {
    stage(_run, stage) {
      const share = stage.status === 'running' ? ` ${Math.floor(stage.progress * 100)}%` : '';
      const rows = stage.dataset ? `, ${stage.dataset.rows} rows` : '';
      const tries = stage.attempt > 1 ? `, try ${stage.attempt}` : '';
      const why = stage.error?.detail ?? stage.reason;
      out.note(`${stage.name}: ${stage.status}${share}${tries}${rows}${why ? `: ${why}` : ''}`);
    },
    approval(_run, { approval_id, message, deadline }) {
      out.note(`waits for a decision until ${deadline}${message ? `: ${message}` : ''}`);
      out.note(`  ostinato approvals approve ${approval_id}   (or reject)`);
    },
  };
}
