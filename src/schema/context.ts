/** The shared context document of data ingestion: exactly the fields that its readers know. */
import { z } from 'zod';
import { FILE_STATUSES, PHASES, SOURCES } from './names.ts';

export const CONTEXT_VERSION = '1.0.0';
export const CONTEXT_URI = 'ostinato://context/data_ingestion';

export const ActiveFile = z.object({
  file_id: z.uuid(),
  filename: z.string(),
  source_type: z.enum(SOURCES),
  status: z.enum(FILE_STATUSES),
  progress: z.int().min(0).max(100),
  started_at: z.iso.datetime(),
});

/** `pending` counts all that waits, paused files too. */
export const ProcessingQueue = z.object({ pending: z.int(), processing: z.int(), completed: z.int() });

export const CurrentPhase = z.enum(['idle', ...PHASES]);

export const WorkflowState = z.object({
  current_phase: CurrentPhase,
  active_files: z.array(ActiveFile),
  processing_queue: ProcessingQueue,
});
export type WorkflowState = z.output<typeof WorkflowState>;

const SourceMapping = z.object({
  parser: z.string(),
  supported_formats: z.array(z.string()),
  content_types: z.array(z.string()),
});

export const LoggedQuery = z.object({
  query: z.string(),
  sources: z.array(z.string()),
  result_count: z.int(),
  response_time_ms: z.number(),
  timestamp: z.iso.datetime(),
});

export const QueryContext = z.object({
  recent_queries: z.array(LoggedQuery).max(10),
  popular_queries: z.array(z.object({ query: z.string(), count: z.int() })).max(10),
  cache_stats: z.object({ hit_rate: z.number().min(0).max(1), total_queries: z.int(), cache_size_mb: z.number() }),
});
export type QueryContext = z.output<typeof QueryContext>;

/** A GB is 10^9 bytes, an MB 10^6. */
export const StorageMetrics = z.object({
  postgres: z.object({ total_records: z.int(), size_gb: z.number(), index_size_gb: z.number() }),
  weaviate: z.object({ total_vectors: z.int(), dimensions: z.int(), collections: z.array(z.string()) }),
  s3: z.object({ total_files: z.int(), size_gb: z.number(), bucket: z.string() }),
});
export type StorageMetrics = z.output<typeof StorageMetrics>;

export const ContextDocument = z.object({
  context_type: z.literal('data_ingestion'),
  version: z.string(),
  workflow_state: WorkflowState,
  source_mappings: z.record(z.enum(SOURCES), SourceMapping),
  query_context: QueryContext,
  storage_metrics: StorageMetrics,
});
export type ContextDocument = z.output<typeof ContextDocument>;

export const ProcessingStatus = z.object({
  active_files: z.array(ActiveFile),
  queue_status: ProcessingQueue,
  current_phase: CurrentPhase,
});
