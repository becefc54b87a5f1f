/** What the table over all operations needs to know of each: a thing for every kind of id, and input where some is needed. */
import { randomUUID } from 'node:crypto';
import type { Deps } from '../../../src/deps.ts';
import type { AnyOperation } from '../../../src/operations/contract.ts';
import { PipelineDefinition } from '../../../src/schema/pipelines.ts';
import { seal } from '../../../src/services/access/seal.ts';
import { insertPipeline } from '../../../src/stores/pipelines.ts';
import { makeKey } from '../api/stand.ts';

/** Makes one thing that belongs to `owner` and resolves with its id; `made` holds what stands before it in the path. */
type Make = (deps: Deps, owner: string, made: Record<string, string>) => Promise<string>;

/** By the name of the path parameter. */
export const THINGS: Record<string, Make> = {
  file_id: async ({ db }, owner) => {
    const id = randomUUID();
    await db
      .insertInto('file_imports')
      .values({
        file_id: id,
        owner,
        workflow_id: `ingest-${id}`,
        filename: 'x.json',
        source_type: 'slack',
        size_bytes: 1,
        sha256: id,
        object_key: null,
        started_at: null,
        completed_at: null,
        deleted_at: null,
      })
      .execute();
    return id;
  },
  record_id: async ({ db }, owner) => {
    const id = randomUUID();
    await db
      .insertInto('parsed_content')
      .values({
        record_id: id,
        owner,
        source_type: 'slack',
        account: 'a',
        content_type: 'message',
        external_id: id,
        text: 'x',
        content_hash: id,
        parent_id: null,
        title: null,
        author: null,
        occurred_at: null,
        url: null,
        vector_hash: null,
      })
      .execute();
    return id;
  },
  workflow_id: async ({ db }, owner) => {
    const id = `w-${randomUUID()}`;
    await db
      .insertInto('workflow_runs')
      .values({
        workflow_id: id,
        type: 'ingestFile',
        room: 'ingestion',
        owner,
        source: null,
        resource: null,
        input: '{}',
        started_at: null,
        closed_at: null,
      })
      .execute();
    return id;
  },
  key_id: async (deps, owner) => (await makeKey(deps, 'viewer', { principal_id: owner })).key_id,
  credential_id: async ({ db, config }, owner) => {
    const place = { owner, name: `c-${randomUUID()}` };
    const row = await db
      .insertInto('outbound_credentials')
      .values({ ...place, kind: 'bearer', sealed: seal(config, place, 'x') })
      .returning('credential_id')
      .executeTakeFirstOrThrow();
    return row.credential_id;
  },
  agent_id: async ({ db }, owner) => {
    const id = randomUUID();
    await db
      .insertInto('agents')
      .values({
        agent_id: id,
        owner,
        name: `agent-${id}`,
        type: 'worker',
        capabilities: ['transformation'],
        endpoints: JSON.stringify({ task: 'http://hidden.example/task' }),
        labels: JSON.stringify({ hidden: 'label' }),
        credential: null,
        answered_at: null,
        deleted_at: null,
      })
      .execute();
    return id;
  },
  task_id: aTask,
  pipeline_id: aPipeline,
  run_id: aRun,
  approval_id: async (deps, owner) => {
    const approval_id = randomUUID();
    const ask = { approval_id, run_id: await aRun(deps, owner), stage: 0, owner, deadline: new Date('2100-01-01') };
    await deps.db
      .insertInto('approvals')
      .values({ ...ask, decided_by: null, decided_at: null, comment: null })
      .execute();
    return approval_id;
  },
  /** An artifact of the run. */
  name: async ({ db, objects }, _owner, { run_id = '' }) => {
    const key = `runs/${run_id}/x.csv`;
    await objects.put(key, Buffer.from('x'));
    const artifact = { name: 'x.csv', key, media_type: 'text/csv', bytes: 1, sha256: '0'.repeat(64), rows: null };
    const output = JSON.stringify({ dataset: null, artifacts: [artifact], summary: {} });
    await db
      .insertInto('pipeline_stages')
      .values({
        run_id,
        stage: 0,
        name: 's',
        type: 'output',
        output,
        reason: null,
        task_id: null,
        started_at: null,
        ended_at: null,
      })
      .execute();
    return 's/x.csv';
  },
  notification_id: async ({ db }, owner) => {
    const notification_id = randomUUID();
    await db
      .insertInto('notifications')
      .values({
        notification_id,
        owner,
        kind: 'webhook',
        target: 'https://hidden.example/hook',
        credential: null,
        event: 'pipeline.completed',
        body: '{}',
        run_id: null,
        workflow_id: `notify-${notification_id}`,
        status: 'undelivered',
        last_error: null,
        delivered_at: null,
        next_attempt_at: null,
      })
      .execute();
    return notification_id;
  },
};

/** Under way, over a batch of a run: with `owner` as its agent too, for what only the assigned agent may do. */
async function aTask(deps: Deps, owner: string): Promise<string> {
  const { db, objects } = deps;
  const task_id = randomUUID();
  const run_id = await aRun(deps, owner);
  const key = `runs/${run_id}/0/batches/00000.ndjson`;
  await objects.put(key, Buffer.from('{}\n'));
  await db
    .insertInto('tasks')
    .values({
      task_id,
      owner,
      pipeline_id: null,
      run_id,
      stage: null,
      type: 'transformation',
      payload: JSON.stringify({ batch: { index: 0, key, format: 'ndjson' } }),
      priority: 1,
      timeout_seconds: 60,
      retry_count: 0,
      workflow_id: `task-${task_id}`,
      status: 'running',
      phase: 'running',
      assigned_agent: owner,
      lease_until: new Date(Date.now() + 60_000),
      assigned_at: new Date(),
      started_at: new Date(),
      completed_at: null,
    })
    .execute();
  const attempt = { task_id, attempt: 1, executor: 'pull', agent_id: owner, status: 'running' as const };
  await db
    .insertInto('task_attempts')
    .values({ ...attempt, completion_id: null, claim_id: null, ended_at: null })
    .execute();
  return task_id;
}

async function aPipeline({ db }: Deps, owner: string): Promise<string> {
  const pipeline_id = randomUUID();
  const definition = PipelineDefinition.parse({ name: 'p', stages: [{ name: 's', type: 'analysis' }] });
  await db.transaction().execute((trx) => insertPipeline(trx, { pipeline_id, owner, definition }));
  return pipeline_id;
}

async function aRun(deps: Deps, owner: string): Promise<string> {
  const run_id = randomUUID();
  const principal = { id: owner, name: 'x', role: 'developer', grants: [], keyId: null, depth: 0 };
  await deps.db
    .insertInto('pipeline_runs')
    .values({
      run_id,
      pipeline_id: await aPipeline(deps, owner),
      version: 1,
      owner,
      principal: JSON.stringify(principal),
      workflow_id: `run-${run_id}`,
      started_at: null,
      completed_at: null,
    })
    .execute();
  return run_id;
}

/** The least input, besides the ids of the path, with which the owner of a thing is not answered 400. */
export const INPUTS: Record<string, object> = {
  'workflows.wait': { timeout_seconds: 0 },
  'workflows.signal': { signal: 'pause' },
  'agents.heartbeat': { current_load: 0 },
  'pipelines.update': { name: 'p', stages: [{ name: 's', type: 'analysis' }] },
  'approvals.decide': { decision: 'approve' },
  'agents.claim': { wait_seconds: 0 },
  'tasks.progress': { attempt: 1, progress: 0.5 },
  'tasks.complete': { attempt: 1, result: {} },
  'tasks.fail': { attempt: 1, error: { code: 'X', message: 'x' } },
  'tasks.logs': { attempt: 1, logs: [{ level: 'info', message: 'x' }] },
};

/** What is asked for by POST and changes nothing. */
export const ONLY_LOOKS = new Set(['query.run', 'pipelines.validate']);

/**
 * What may be done to things that one may only look at: a run of somebody's pipeline is the caller's own and has the
 * caller's permissions; who may decide approvals may decide those that are shown to them.
 */
export const READ_IS_ENOUGH = new Set(['pipelines.execute', 'approvals.decide']);

/** Kinds of GRANT_KINDS by the path parameter that names one such thing. */
export const GRANTABLE: Record<string, string> = {
  file_id: 'file',
  workflow_id: 'workflow',
  agent_id: 'agent',
  task_id: 'task',
  pipeline_id: 'pipeline',
  run_id: 'run',
};

export interface Route {
  name: string;
  operation: AnyOperation;
  method: string;
  /** In OpenAPI's form. */
  path: string;
  /** Names of the ids in the path. */
  ids: string[];
}

export function routesOf(operations: readonly AnyOperation[]): Route[] {
  return operations.flatMap((operation) => {
    if (!operation.http) return [];
    const { method, path } = operation.http;
    const ids = [...path.matchAll(/\{([^}]+)\}/g)].map((match) => match[1] ?? '');
    return [{ name: operation.name, operation, method: method.toUpperCase(), path, ids }];
  });
}

/** The request for a route on these things, with the least input. */
export function requestFor(route: Route, ids: Record<string, string>): { path: string; init: RequestInit } {
  const filled = route.path.replace(/\{([^}]+)\}/g, (_all, name: string) => encodeURIComponent(ids[name] ?? ''));
  const input = INPUTS[route.name] ?? {};
  if (route.method === 'GET' || route.method === 'DELETE') {
    const query = new URLSearchParams(Object.entries(input).map(([name, value]) => [name, String(value)]));
    return { path: query.size > 0 ? `${filled}?${query}` : filled, init: { method: route.method } };
  }
  const json = { method: route.method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(input) };
  return { path: filled, init: json };
}

/** One new thing of `owner` for every id of the route. */
export async function thingsFor(deps: Deps, route: Route, owner: string): Promise<Record<string, string>> {
  const made: Record<string, string> = {};
  for (const id of route.ids) {
    const make = THINGS[id];
    if (!make) throw new Error(missing(id, route.name));
    made[id] = await make(deps, owner, made);
  }
  return made;
}

export function missing(id: string, operation: string): string {
  return `${operation} takes {${id}}, and no thing of that kind can be made: add \`${id}\` to THINGS in test/integration/access/fixtures.ts`;
}
