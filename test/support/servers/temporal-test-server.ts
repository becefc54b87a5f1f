/** Temporal for tests of single workflows: one that skips time, and a real one in memory. */
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { TEMPORAL, TEMPORAL_TEST_SERVER } from '../../../src/local/components/catalogue.ts';
import { requirePath } from './available.ts';

/** Time passes as usual, and jumps while a test waits for a result or sleeps and no activity runs. */
export async function startTimeSkipping(): Promise<TestWorkflowEnvironment> {
  const path = await requirePath(TEMPORAL_TEST_SERVER);
  return TestWorkflowEnvironment.createTimeSkipping({ server: { executable: { type: 'existing-path', path } } });
}

/** The dev server in memory, for what the one above cannot do; here time takes its time. */
export async function startDevServer(): Promise<TestWorkflowEnvironment> {
  const path = await requirePath(TEMPORAL);
  return TestWorkflowEnvironment.createLocal({ server: { executable: { type: 'existing-path', path } } });
}
