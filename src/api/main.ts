/** The API process: everything opened, the door mounted, and drained when asked to end. */
import manifest from '../../package.json' with { type: 'json' };
import { createDeps } from '../deps.ts';
import { watchSupervisor } from '../local/parent-watch.ts';
import { createLog } from '../logging.ts';
import { createMcpDoor } from '../mcp/door.ts';
import { allowedHosts } from '../mcp/guard.ts';
import { operations } from '../operations/index.ts';
import { invoke } from '../operations/invoke.ts';
import { type Config, ConfigError, loadConfig, warnOfFormer } from '../schema/config.ts';
import { checkTls, readServerTls } from '../schema/tls.ts';
import { resealSecrets } from '../services/access/reseal.ts';
import { ensureAdminKey } from '../services/admin-key.ts';
import { createEventHub } from '../services/event-hub.ts';
import { createConnections } from '../services/limits/connections.ts';
import { contextChanges, houseResources } from '../services/resources.ts';
import { workflowTasks } from '../services/workflow-tasks.ts';
import { migrate } from '../stores/migrate.ts';
import { startTracing } from '../tracing.ts';
import { createAccess } from './access.ts';
import { createApi } from './app.ts';
import { listen } from './server.ts';
import { watchCertificate } from './tls-server.ts';
import { createLiveSockets } from './websocket/server.ts';

/** What runs may take to finish; the supervisor kills after ten seconds. */
const GRACE_MS = 7_000;

const config = readConfig();
const tls = readServerTls(config);
const log = createLog(config.LOG_LEVEL, 'api');
const former = warnOfFormer();
if (former) log.warn(former);
const tracing = await startTracing(config, { service: 'ostinato-api', log });
const deps = await createDeps(config, {
  log,
  applicationName: 'ostinato-api',
  writesVectors: false,
  clientInterceptors: tracing?.client,
});
await migrate(config.DATABASE_URL ?? '');
const admin = await ensureAdminKey(config.DATABASE_URL ?? '', config);
// Where nobody else made it before (containers), this is the one time it is shown.
if (admin.key) process.stderr.write(`Admin key (shown once): ${admin.key}\n`);
const { resealed, unopened } = await resealSecrets(deps);
if (resealed > 0) log.info({ resealed }, 'stored secrets were sealed anew under MASTER_KEY');
if (unopened > 0) log.warn({ unopened }, 'stored secrets were sealed under a key that is not set here');

const draining = new AbortController();
const hub = createEventHub(deps);
const mcp = createMcpDoor({
  operations,
  invoke: (operation, call, input) => invoke(deps, operation, call, input),
  tasks: workflowTasks(deps),
  resources: houseResources(deps),
  changes: contextChanges(hub),
  log,
  version: manifest.version,
  hosts: allowedHosts(config),
  bodySeconds: config.BODY_TIMEOUT,
});
const access = createAccess(deps);
const connections = createConnections(deps);
const doors = { deps, hub, access, connections, draining: draining.signal };
const app = createApi({ ...doors, operations, mcp, version: manifest.version });
const live = createLiveSockets(doors);
const server = await listen(app, { port: config.SERVER_PORT, hostname: config.HOST, tls }, live.upgrade).catch(
  (error: NodeJS.ErrnoException) => {
    if (error.code === 'EADDRINUSE') process.stderr.write(`SERVER_PORT ${config.SERVER_PORT} is taken\n`);
    else log.fatal({ err: error }, 'the API cannot listen');
    return process.exit(1);
  },
);
const certificate = tls && watchCertificate({ config, inUse: tls, renew: server.renew, log });

let ending: Promise<void> | undefined;
function end(): Promise<void> {
  ending ??= (async () => {
    draining.abort();
    certificate?.stop();
    await mcp.close();
    await server.drain(GRACE_MS);
    await connections.close();
    await hub.close();
    await deps.close();
    await tracing?.close();
    log.info('drained');
  })().then(
    () => process.exit(0),
    (error: unknown) => {
      log.fatal({ err: error }, 'the API could not end cleanly');
      process.exit(1);
    },
  );
  return ending;
}
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void end());
watchSupervisor(() => void end());
process.stdout.write(`${JSON.stringify({ ready: true, port: server.port })}\n`);

/** The settings; a wrong one ends the process with a line that names it instead of a stack. */
function readConfig(): Config {
  try {
    const read = loadConfig();
    checkTls(read);
    return read;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return process.exit(2);
  }
}
