/** Every operation there is. Doors and contract tests are made from this list. */
import { accessOperations } from './access/index.ts';
import { agentOperations } from './agents/index.ts';
import type { AnyOperation } from './contract.ts';
import { ingestionOperations } from './ingestion/index.ts';
import { pipelineOperations } from './pipelines/index.ts';
import { queryOperations } from './query/index.ts';
import { systemOperations } from './system/index.ts';
import { taskOperations } from './tasks/index.ts';
import { workflowOperations } from './workflows/index.ts';

/** Pipelines are given the list that they are part of: their stages run any of it. */
export const operations: readonly AnyOperation[] = [
  ...ingestionOperations,
  ...queryOperations,
  ...workflowOperations,
  ...taskOperations,
  ...agentOperations,
  ...pipelineOperations((name) => operations.some((operation) => operation.name === name && isCallable(operation))),
  ...accessOperations,
  ...systemOperations,
];

/** Whether it can be run without a stream of bytes in or out. */
function isCallable({ http }: AnyOperation): boolean {
  return http?.body !== 'multipart' && http?.answer !== 'download';
}
