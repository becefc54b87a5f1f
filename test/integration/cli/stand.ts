/** The whole API with its MCP door on a free port, over workers in this process; it can go away and come back. */
import { createApi } from '../../../src/api/app.ts';
import { listen, type RunningServer } from '../../../src/api/server.ts';
import { createMcpDoor } from '../../../src/mcp/door.ts';
import { allowedHosts } from '../../../src/mcp/guard.ts';
import { operations } from '../../../src/operations/index.ts';
import { invoke } from '../../../src/operations/invoke.ts';
import type { Role } from '../../../src/schema/names.ts';
import { createEventHub } from '../../../src/services/event-hub.ts';
import { contextChanges, houseResources } from '../../../src/services/resources.ts';
import { workflowTasks } from '../../../src/services/workflow-tasks.ts';
import { makeKey } from '../api/stand.ts';
import { openStand as openPipelines, type Stand as Pipelines } from '../pipelines/stand.ts';

export interface Stand extends Pipelines {
  url: string;
  /** A key of a new caller. */
  key(role: Role): Promise<{ key: string; principal_id: string }>;
  /** Ends the API and starts another on the same port. */
  restart(): Promise<void>;
}

export async function openStand(): Promise<Stand> {
  const pipelines = await openPipelines();
  const { deps } = pipelines;

  async function start(port: number): Promise<{ server: RunningServer; end(): Promise<void> }> {
    const hub = createEventHub(deps);
    const draining = new AbortController();
    const mcp = createMcpDoor({
      operations,
      invoke: (operation, call, input) => invoke(deps, operation, call, input),
      tasks: workflowTasks(deps),
      resources: houseResources(deps),
      changes: contextChanges(hub),
      log: { warn: () => {}, error: (fields, message) => console.error(message, fields) },
      version: '0.0.0',
      hosts: allowedHosts({ HOST: '127.0.0.1', ALLOWED_HOSTS: [], publicUrl: 'http://127.0.0.1' }),
      bodySeconds: 30,
    });
    const app = createApi({ deps, operations, hub, mcp, draining: draining.signal });
    const server = await listen(app, { port, hostname: '127.0.0.1' });
    return {
      server,
      async end() {
        draining.abort();
        await mcp.close();
        await server.drain(1_000);
        await hub.close();
      },
    };
  }

  let api = await start(0);
  const { port } = api.server;
  return {
    ...pipelines,
    url: `http://127.0.0.1:${port}`,
    key: (role) => makeKey(deps, role),
    async restart() {
      await api.end();
      api = await start(port);
    },
    async close() {
      await api.end();
      await pipelines.close();
    },
  };
}
