/** Where the view of a run leads to. */
import { expect, test } from 'vitest';
import { loadConfig } from '../../../src/schema/config.ts';
import { runLinks } from '../../../src/services/pipelines/views.ts';
import type { PipelineRunRow } from '../../../src/stores/pipeline-runs.ts';

test('a run leads to everything about it, Temporal’s Web UI too', () => {
  const env = { PUBLIC_URL: 'https://panel.example/', TEMPORAL_NAMESPACE: 'ours' };
  const row = { run_id: 'r1', pipeline_id: 'p1', workflow_id: 'run-r1~2' } as PipelineRunRow;
  expect(runLinks(loadConfig({ env, cwd: '/' }), row)).toEqual({
    self: '/api/v1/pipeline-runs/r1',
    pipeline: '/api/v1/pipelines/p1',
    artifacts: '/api/v1/pipeline-runs/r1/artifacts',
    events: '/api/v1/events?run_id=r1',
    workflow: '/api/v1/workflows/run-r1~2',
    ui: 'https://panel.example/temporal/namespaces/ours/workflows/run-r1~2',
  });
});
