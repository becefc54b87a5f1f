/** The tasks room, and the ways in which agents work on it. */
import type { AnyOperation } from '../contract.ts';
import { agentsClaim, tasksComplete, tasksFail, tasksLogs, tasksProgress } from './callbacks.ts';
import { tasksCancel, tasksRetry } from './control.ts';
import { tasksInput } from './input.ts';
import { tasksDetail, tasksGet, tasksList } from './look.ts';
import { tasksSubmit } from './submit.ts';

export const taskOperations: AnyOperation[] = [
  tasksSubmit,
  tasksList,
  tasksGet,
  tasksDetail,
  tasksInput,
  tasksCancel,
  tasksRetry,
  tasksProgress,
  tasksComplete,
  tasksFail,
  tasksLogs,
  agentsClaim,
];
