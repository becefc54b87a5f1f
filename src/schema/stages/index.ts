/** The configuration of each built-in stage type, and every fault of one. */
import type { z } from 'zod';
import type { Fault } from '../failures.ts';
import type { TaskType } from '../names.ts';
import { AnalysisConfig } from './analysis.ts';
import { IngestionConfig } from './ingestion.ts';
import { OutputConfig } from './output.ts';
import { ProcessingConfig } from './processing.ts';
import { TransformationConfig } from './transformation.ts';
import { ValidationConfig } from './validation.ts';

export const STAGE_CONFIGS = {
  'data-ingestion': IngestionConfig,
  transformation: TransformationConfig,
  analysis: AnalysisConfig,
  validation: ValidationConfig,
  processing: ProcessingConfig,
  output: OutputConfig,
} as const satisfies Record<TaskType, z.ZodType>;

/**
 * What is wrong with a configuration, each fault with its path (`rules.0.column`; empty for the whole). Empty when the
 * engine may try it: names of columns and the sense of SQL are only known when there is data.
 */
export function stageFaults(type: TaskType, config: unknown): Fault[] {
  const parsed = STAGE_CONFIGS[type].safeParse(config ?? {});
  if (parsed.success) return [];
  return parsed.error.issues.flatMap((issue): Fault[] => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ path: [...issue.path, key].join('.'), message: 'is not known here' }));
    }
    return [{ path: issue.path.join('.'), message: issue.message }];
  });
}
