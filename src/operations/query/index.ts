/** The operations of the query room. */
import type { AnyOperation } from '../contract.ts';
import { contextRead, processingStatus } from './context.ts';
import { recordsGet } from './record.ts';
import { queryRun } from './run.ts';
import { querySuggestions } from './suggestions.ts';

export const queryOperations: AnyOperation[] = [queryRun, querySuggestions, recordsGet, contextRead, processingStatus];
