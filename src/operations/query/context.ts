/** `context.read` and `processing.status`: the shared context document, and its part about work in progress. */
import { z } from 'zod';
import { ContextDocument, ProcessingStatus } from '../../schema/context.ts';
import { readContext, readWorkflowState } from '../../services/context/context.ts';
import { defineOperation, READ_ONLY } from '../contract.ts';

export const contextRead = defineOperation({
  name: 'context.read',
  summary: 'Read the shared context document of data ingestion',
  room: 'query',
  permission: 'files:read',
  input: z.object({}),
  output: ContextDocument,
  http: { method: 'get', path: '/api/v1/context/data_ingestion', tag: 'Query' },
  failures: [],
  audited: false,
  run: ({ deps, principal }) => readContext(deps, principal),
});

export const processingStatus = defineOperation({
  name: 'processing.status',
  summary: 'Tell what is being ingested',
  room: 'ingestion',
  permission: 'files:read',
  input: z.object({}),
  output: ProcessingStatus,
  http: { method: 'get', path: '/api/v1/processing/status', tag: 'Files' },
  mcp: {
    tool: 'get_processing_status',
    title: 'Processing status',
    description:
      'Tells what is being ingested now: active files with status and progress (0–100), how many files wait, ' +
      'run and are completed, and the current phase (idle, upload, processing, indexing).',
    ...READ_ONLY,
  },
  failures: [],
  audited: false,
  async run({ deps, principal }) {
    const state = await readWorkflowState(deps, principal);
    return {
      active_files: state.active_files,
      queue_status: state.processing_queue,
      current_phase: state.current_phase,
    };
  },
});
