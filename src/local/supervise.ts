/** Child processes that live as long as this one: in groups of their own, restarted alone, stopped in order. */
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { startTimeOf } from '../../bin/lock.js';
import { type LogFile, openLog } from './logs.ts';
import { killGroup, spawnTied, type TiedCommand } from './tied-process.ts';

const BACKOFF_MS = [200, 500, 1_000, 2_000, 5_000, 10_000];
/** A child that lived this long starts again without waiting. */
const STEADY_MS = 30_000;

export interface ServiceSpec extends TiedCommand {
  name: string;
  /** What asks it to end. */
  stopSignal?: NodeJS.Signals;
  /** Milliseconds it may take to end before it is killed. */
  stopTimeoutMs?: number;
  /** Milliseconds until it must be ready. */
  readyTimeoutMs?: number;
  /** Resolves to true as soon as it works; asked again until then, or told by a line of its output. */
  isReady: (line: string | undefined) => boolean | Promise<boolean>;
  /** Undoes what a dead one left, before each start. */
  prepare?: () => void | Promise<void>;
}

export interface Service {
  readonly name: string;
  /** Undefined while it is down. */
  readonly pid: number | undefined;
  readonly startTime: string | undefined;
  restarts: number;
  /** Stops it and starts it again. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface Supervisor {
  /** Starts a service and resolves when it is ready; rejects with its last lines when it ends before or takes too long. */
  start(spec: ServiceSpec): Promise<Service>;
  services(): Service[];
  /** Stops everything and starts nothing more: the named ones one after another, the rest after them. */
  stopAll(order: readonly string[]): Promise<void>;
}

export interface SupervisorOptions {
  logDir: string;
  /** One line for people. */
  report: (line: string) => void;
  /** Called whenever a process id changed. */
  onChange?: () => void;
  /** Every line of every child, for a terminal. */
  onLine?: (name: string, line: string) => void;
}

export function createSupervisor(options: SupervisorOptions): Supervisor {
  const running: Service[] = [];
  let closed = false;
  return {
    services: () => [...running],
    async stopAll(order) {
      closed = true;
      const rank = (service: Service) => (order.indexOf(service.name) + order.length + 1) % (order.length + 1);
      for (const service of [...running].sort((a, b) => rank(a) - rank(b))) {
        await service.stop();
        running.splice(running.indexOf(service), 1);
      }
    },
    async start(spec) {
      if (closed) throw new Error(`${spec.name} is not started: everything is being stopped`);
      const service = createService(spec, options);
      running.push(service);
      try {
        await service.restart();
      } catch (error) {
        await service.stop();
        if (running.includes(service)) running.splice(running.indexOf(service), 1);
        throw error;
      }
      return service;
    },
  };
}

function createService(spec: ServiceSpec, options: SupervisorOptions): Service {
  let child: ChildProcess | undefined;
  let startTime: string | undefined;
  let wanted = false;
  let timer: NodeJS.Timeout | undefined;
  let failures = 0;
  let log: LogFile | undefined;
  let starting: Promise<void> | undefined;

  async function launch(): Promise<void> {
    await spec.prepare?.();
    if (!wanted) throw new Error(`${spec.name} is being stopped`);
    const output = openLog(join(options.logDir, `${spec.name}.log`), {
      onLine: (line) => {
        options.onLine?.(spec.name, line);
        void heard(line);
      },
    });
    log = output;
    const began = Date.now();
    let heard: (line: string) => Promise<void> = async () => {};
    const spawned = spawnTied(spec);
    child = spawned;
    startTime = spawned.pid === undefined ? undefined : startTimeOf(spawned.pid);
    options.onChange?.();
    spawned.stdout?.on('data', (chunk: Buffer) => output.write(chunk));
    spawned.stderr?.on('data', (chunk: Buffer) => output.write(chunk));
    let ready = false;
    const ended = new Promise<string>((resolve) => {
      spawned.on('error', (error) => resolve(`${spec.command} could not be started: ${error.message}`));
      spawned.on('close', (code, signal) => resolve(`${spec.name} ended (${signal ?? `exit code ${code}`})`));
    });
    void ended.then((why) => {
      output.close();
      if (child === spawned) child = undefined;
      startTime = child === undefined ? undefined : startTime;
      options.onChange?.();
      if (!ready || !wanted) return;
      if (Date.now() - began > STEADY_MS) failures = 0;
      comeBack(why);
    });
    await new Promise<void>((resolve, reject) => {
      const limit = spec.readyTimeoutMs ?? 60_000;
      let settled = false;
      const settle = (act: () => void) => {
        if (settled) return;
        settled = true;
        clearTimeout(deadline);
        clearInterval(poll);
        act();
      };
      const ask = async (line: string | undefined) => {
        if (settled) return;
        if (await Promise.resolve(spec.isReady(line)).catch(() => false)) settle(resolve);
      };
      heard = ask;
      const deadline = setTimeout(
        () =>
          settle(() => reject(new Error(`${spec.name} was not ready within ${limit / 1000} s${lastLines(output)}`))),
        limit,
      );
      let asking = false;
      const poll = setInterval(async () => {
        if (asking) return;
        asking = true;
        await ask(undefined);
        asking = false;
      }, 50);
      void ended.then((why) => settle(() => reject(new Error(`${why}${lastLines(output)}`))));
    });
    ready = true;
  }

  function comeBack(why: string): void {
    const wait = BACKOFF_MS[Math.min(failures, BACKOFF_MS.length - 1)] ?? 1_000;
    failures += 1;
    service.restarts += 1;
    options.report(`${why}; starting it again in ${wait / 1000} s`);
    timer = setTimeout(() => {
      if (!wanted) return;
      starting = launch()
        .then(() => options.report(`${spec.name} is back`))
        .catch(async (error: Error) => {
          await end();
          if (wanted) comeBack(error.message);
        });
    }, wait);
  }

  async function end(): Promise<void> {
    const current = child;
    if (current?.pid === undefined) return;
    const closed = new Promise<void>((resolve) => current.once('close', () => resolve()));
    if (current.exitCode !== null || current.signalCode !== null) return;
    current.kill(spec.stopSignal ?? 'SIGTERM');
    const force = setTimeout(() => {
      options.report(`${spec.name} did not end in time and is killed`);
      killGroup(current);
    }, spec.stopTimeoutMs ?? 10_000);
    await closed;
    clearTimeout(force);
  }

  const service: Service = {
    name: spec.name,
    get pid() {
      return child?.pid;
    },
    get startTime() {
      return startTime;
    },
    restarts: 0,
    async restart() {
      wanted = false;
      await end();
      wanted = true;
      starting = launch();
      await starting;
    },
    async stop() {
      wanted = false;
      clearTimeout(timer);
      await end();
      await starting?.catch(() => {});
      await end();
      log?.close();
    },
  };
  return service;
}

function lastLines(log: LogFile): string {
  const lines = log
    .tail()
    .slice(-5)
    .map((line) => line.slice(0, 300));
  return lines.length === 0 ? '' : `\n  ${lines.join('\n  ')}`;
}
