/** Every operation there is. Doors and contract tests are made from this list. */
import { accessOperations } from './access/index.ts';
import { agentOperations } from './agents/index.ts';
import type { AnyOperation } from './contract.ts';
import { ingestionOperations } from './ingestion/index.ts';
import { queryOperations } from './query/index.ts';
import { systemOperations } from './system/index.ts';
import { taskOperations } from './tasks/index.ts';
import { workflowOperations } from './workflows/index.ts';

export const operations: readonly AnyOperation[] = [
  ...ingestionOperations,
  ...queryOperations,
  ...workflowOperations,
  ...taskOperations,
  ...agentOperations,
  ...accessOperations,
  ...systemOperations,
];
