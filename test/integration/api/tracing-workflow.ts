/** A workflow of one activity, for the test of tracing. */
import { proxyActivities } from '@temporalio/workflow';

const { greet } = proxyActivities<{ greet(name: string): Promise<string> }>({ startToCloseTimeout: '10 seconds' });

export async function traced(name: string): Promise<string> {
  return greet(name);
}
