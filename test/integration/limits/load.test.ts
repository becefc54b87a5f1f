/** Gauges of the database on /metrics: agents, queue, slots and open workflows, and what happens while it is away. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLog } from '../../../src/logging.ts';
import { createLoadMetrics } from '../../../src/services/load-metrics.ts';
import { openDatabase } from '../../../src/stores/database.ts';
import { openStand, type Stand } from '../api/stand.ts';

let stand: Stand;
beforeAll(async () => {
  stand = await openStand({}, { MAX_CONCURRENT_TASKS: '7' });
});
afterAll(() => stand.close());

/** Samples of our gauges, by name with labels. */
async function samples(): Promise<Record<string, number>> {
  const page = await createLoadMetrics(stand.deps)();
  const lines = page.split('\n').filter((line) => line.startsWith('ostinato_'));
  return Object.fromEntries(lines.map((line) => [line.replace(/ [^ ]*$/, ''), Number(line.split(' ').at(-1))]));
}

async function agent(agent_id: string, status: 'active' | 'offline', current_load: number): Promise<void> {
  await stand.deps.db
    .insertInto('agents')
    .values({ agent_id, owner: 'ada', name: agent_id, type: 'worker', capabilities: ['a'], status, current_load })
    .execute();
}

async function task(task_id: string, priority: number, phase: 'queued' | 'running' | 'closed', on?: string) {
  await stand.deps.db
    .insertInto('tasks')
    .values({
      task_id,
      owner: 'ada',
      type: 'analysis',
      payload: '{}',
      priority,
      timeout_seconds: 60,
      retry_count: 0,
      workflow_id: `w-${task_id}`,
      phase,
      slot: phase === 'running',
      assigned_agent: on ?? null,
      queued_at: new Date(Date.now() - 90_000),
    })
    .execute();
}

describe('the gauges of the database', () => {
  it('are zero, not absent, where there is nothing', async () => {
    const found = await samples();
    expect(found).toMatchObject({
      'ostinato_agents{status="active"}': 0,
      'ostinato_agents{status="offline"}': 0,
      'ostinato_tasks_queued{priority="high"}': 0,
      ostinato_tasks_running: 0,
      ostinato_task_slots: 7,
      'ostinato_open_workflows{type="runPipeline"}': 0,
    });
  });

  it('tell agents by status and load, the queue by priority, and what runs', async () => {
    await agent('busy', 'active', 0.75);
    await agent('idle', 'active', 0);
    await agent('gone', 'offline', 0.5);
    await task('t1', 0, 'running', 'busy');
    await task('t2', 1, 'running', 'busy');
    await task('t3', 0, 'queued');
    await task('t4', 2, 'queued');
    await task('t5', 2, 'queued');
    await task('t6', 2, 'closed');
    await stand.deps.db
      .insertInto('workflow_runs')
      .values({ workflow_id: 'w', type: 'runPipeline', room: 'pipelines', owner: 'ada', input: '{}' })
      .execute();
    const found = await samples();
    expect(found).toMatchObject({
      'ostinato_agents{status="active"}': 2,
      'ostinato_agents{status="offline"}': 1,
      'ostinato_agent_load{agent_id="busy",name="busy"}': 0.75,
      'ostinato_agent_running_tasks{agent_id="busy",name="busy"}': 2,
      'ostinato_agent_running_tasks{agent_id="idle",name="idle"}': 0,
      'ostinato_tasks_queued{priority="high"}': 1,
      'ostinato_tasks_queued{priority="medium"}': 0,
      'ostinato_tasks_queued{priority="low"}': 2,
      ostinato_tasks_running: 2,
      'ostinato_open_workflows{type="runPipeline"}': 1,
    });
    expect(found['ostinato_tasks_queued_oldest_seconds{priority="low"}']).toBeGreaterThan(80);
  });

  it('ask once for several scrapes', async () => {
    let asked = 0;
    const db = new Proxy(stand.deps.db, {
      get(target, name) {
        const value = Reflect.get(target, name, target) as unknown;
        if (name === 'getExecutor') asked += 1;
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const read = createLoadMetrics({ ...stand.deps, db });
    const pages = await Promise.all([read(), read(), read()]);
    expect(new Set(pages).size).toBe(1);
    expect(asked).toBe(1);
  });

  it('are left out while the database is away, and nothing else is', async () => {
    const away = openDatabase('postgres://nobody:nothing@127.0.0.1:9/none', { max: 1 });
    const page = await createLoadMetrics({ ...stand.deps, db: away.db, log: createLog('silent', 'test') })();
    expect(page).toBe('');
    await away.close();
  });
});
