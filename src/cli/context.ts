/** What every command works with: settings, output, the API on demand, and the signal that Ctrl-C aborts. */
import type { Readable, Writable } from 'node:stream';
import type { Command } from 'commander';
import { type Config, loadConfig } from '../schema/config.ts';
import { trustInProcess } from '../schema/tls.ts';
import { type Api, createApi } from './api.ts';
import { resolveTarget, type Target } from './credentials.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { createOutput, type Output } from './output.ts';

/** The surroundings of one run; tests bring their own. */
export interface Io {
  stdin: Readable;
  stdout: Writable & { isTTY?: boolean; columns?: number; hasColors?(): boolean };
  stderr: Writable & { isTTY?: boolean };
  /** The process's own when absent. */
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  signal: AbortSignal;
  version: string;
}

export interface CliContext {
  config: Config;
  out: Output;
  io: Io;
  signal: AbortSignal;
  target(): Target;
  /** Opened at the first use, closed when the command ends. */
  api(): Api;
}

/** Runs a command's work and keeps its exit code (0 unless told). */
export type Act = (command: Command, work: (context: CliContext) => Promise<ExitCode | undefined>) => Promise<void>;

interface GlobalOptions {
  url?: string;
  key?: string;
  json?: boolean;
  table?: boolean;
}

export function createAct(io: Io, onExit: (code: ExitCode) => void): Act {
  return async (command, work) => {
    const options: GlobalOptions = command.optsWithGlobals();
    const config = loadConfig({ ...(io.env ? { env: io.env } : {}), ...(io.cwd ? { cwd: io.cwd } : {}) });
    trustInProcess(config);
    const json = options.json ? true : options.table ? false : undefined;
    let api: Api | undefined;
    const target = () => resolveTarget(config, options);
    try {
      const code = await work({
        config,
        out: createOutput({ stdout: io.stdout, stderr: io.stderr, json }),
        io,
        signal: io.signal,
        target,
        api() {
          api ??= createApi(target(), { version: io.version, signal: io.signal });
          return api;
        },
      });
      onExit(code ?? EXIT.ok);
    } finally {
      await api?.close();
    }
  };
}
