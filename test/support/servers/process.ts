/** Starts one real server for a test in a folder of its own, and takes both away again. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSupervisor, type Service, type ServiceSpec, type Supervisor } from '../../../src/local/supervise.ts';

export interface RunningServer {
  /** The process; a test may kill it by `service.pid`, and it is then started again. */
  service: Service;
  folder: string;
  stop(): Promise<void>;
}

export interface TestFolder {
  folder: string;
  supervisor: Supervisor;
  stop(): Promise<void>;
}

/** A temporary folder with a supervisor whose processes end before the folder goes. */
export function openTestFolder(name: string): TestFolder {
  const folder = mkdtempSync(join(tmpdir(), `ostinato-${name}-`));
  const supervisor = createSupervisor({ logDir: join(folder, 'logs'), report: () => {} });
  return {
    folder,
    supervisor,
    async stop() {
      await supervisor.stopAll([]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Starts what `spec` says, given the folder; on failure the folder is gone too. */
export async function startServer(name: string, spec: (folder: string) => ServiceSpec): Promise<RunningServer> {
  const { folder, supervisor, stop } = openTestFolder(name);
  try {
    return { service: await supervisor.start(spec(folder)), folder, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Whether `url` answers with a status below 400. */
export async function answers(url: string): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
  await response.body?.cancel();
  return response.status < 400;
}
