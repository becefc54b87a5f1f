/** The operations of pipelines, runs, approvals and notifications. */
import type { AnyOperation } from '../contract.ts';
import { approvalOperations } from './approvals.ts';
import { artifactOperations } from './artifacts.ts';
import { notificationOperations } from './notifications.ts';
import { definitionOperations, pipelineReads } from './pipelines.ts';
import { runOperations } from './runs.ts';

/** `operates`: whether a stage can run the operation of this name. */
export function pipelineOperations(operates: (name: string) => boolean): AnyOperation[] {
  return [
    ...definitionOperations(operates),
    ...pipelineReads,
    ...runOperations,
    ...artifactOperations,
    ...approvalOperations,
    ...notificationOperations,
  ];
}
