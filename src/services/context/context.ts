/** The shared context document, computed from the tables at the time of the call: true at every moment, in every process. */
import type { Deps } from '../../deps.ts';
import { visibleOwners } from '../../schema/access.ts';
import { CONTEXT_VERSION, type ContextDocument, type QueryContext, type WorkflowState } from '../../schema/context.ts';
import { SOURCE_MAPPINGS, VECTOR_COLLECTION } from '../../schema/names.ts';
import type { Principal } from '../../schema/principal.ts';
import { readQueryHistory } from '../../stores/query-log.ts';
import { readContentTotals, readFileStates } from './tables.ts';
import { queryOwners } from './visibility.ts';

export type ContextDeps = Pick<Deps, 'db' | 'config' | 'objects' | 'vectors'>;

export async function readContext(deps: ContextDeps, principal: Principal): Promise<ContextDocument> {
  const owners = visibleOwners(principal);
  const [workflow_state, query_context, content] = await Promise.all([
    readWorkflowState(deps, principal),
    readQueryContext(deps, principal),
    readContentTotals(deps.db, owners),
  ]);
  return {
    context_type: 'data_ingestion',
    version: CONTEXT_VERSION,
    workflow_state,
    source_mappings: structuredClone(SOURCE_MAPPINGS) as unknown as ContextDocument['source_mappings'],
    query_context,
    storage_metrics: {
      postgres: {
        total_records: content.records,
        size_gb: giga(content.tableBytes),
        index_size_gb: giga(content.indexBytes),
      },
      weaviate: {
        total_vectors: content.vectors,
        dimensions: deps.vectors?.dimensions ?? 0,
        collections: [VECTOR_COLLECTION],
      },
      s3: { total_files: content.files, size_gb: giga(content.fileBytes), bucket: deps.objects.bucket },
    },
  };
}

/** The part about work in progress. The phase is that of the newest active file, `idle` without one. */
export async function readWorkflowState(deps: Pick<Deps, 'db'>, principal: Principal): Promise<WorkflowState> {
  const { active, counts } = await readFileStates(deps.db, visibleOwners(principal));
  return {
    current_phase: active[0]?.phase ?? 'idle',
    active_files: active.map(({ phase: _, started_at, ...file }) => ({
      ...file,
      started_at: started_at.toISOString(),
    })),
    processing_queue: counts,
  };
}

async function readQueryContext(deps: Pick<Deps, 'db'>, principal: Principal): Promise<QueryContext> {
  const history = await readQueryHistory(deps.db, queryOwners(principal));
  return {
    recent_queries: history.recent.map(({ at, ...query }) => ({ ...query, timestamp: at.toISOString() })),
    popular_queries: history.popular,
    cache_stats: {
      hit_rate: history.total === 0 ? 0 : history.hits / history.total,
      total_queries: history.total,
      cache_size_mb: history.cacheBytes / 1e6,
    },
  };
}

function giga(bytes: number): number {
  return bytes / 1e9;
}
