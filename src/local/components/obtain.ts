/** Ways to get a component that is not there: the vendor's archive, a Go build, a Debian package. */
import { createWriteStream, existsSync, mkdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Component, Obtained, ResolveOptions } from './contract.ts';
import { runToEnd } from './process.ts';

const CONNECT_MS = 15_000;

/** Fetches and unpacks the vendor's archive into `draft`. */
export async function download(component: Component, draft: string, options: ResolveOptions): Promise<Obtained> {
  const archive = component.download?.(process.platform, process.arch);
  if (archive === undefined) return undefined;
  const host = new URL(archive.url).host;
  options.report(`downloading ${component.name} ${component.version} from ${host}`);
  const whole = AbortSignal.timeout(options.timeoutSeconds * 1000);
  const answer = new AbortController();
  const connecting = setTimeout(() => answer.abort(new Error(`no answer in ${CONNECT_MS / 1000} s`)), CONNECT_MS);
  try {
    const response = await fetch(archive.url, { signal: AbortSignal.any([whole, answer.signal]) });
    clearTimeout(connecting);
    if (!response.ok || response.body === null) throw new Error(`status ${response.status}`);
    const total = Number(response.headers.get('content-length') ?? 0);
    let received = 0;
    const ticker = setInterval(() => {
      const share = total > 0 ? ` of ${Math.round(total / 1e6)}` : '';
      options.report(`downloading ${component.name}: ${Math.round(received / 1e6)}${share} MB`);
    }, 5_000);
    const file = join(draft, 'archive');
    try {
      const body = Readable.from(response.body as AsyncIterable<Uint8Array>);
      body.on('data', (chunk: Uint8Array) => {
        received += chunk.length;
      });
      await pipeline(body, createWriteStream(file));
    } finally {
      clearInterval(ticker);
    }
    if (total > 0 && received !== total) throw new Error(`${received} of ${total} bytes came`);
    const unpacked = await runToEnd('tar', ['-xf', file, '-C', draft], {
      env: options.environment,
      timeoutMs: 120_000,
    });
    if (unpacked.code !== 0) throw new Error(`the archive cannot be unpacked: ${lastLine(unpacked.output)}`);
    return { path: join(draft, archive.file) };
  } catch (error) {
    return { failure: `${component.name}: download from ${host} failed (${reasonOf(error)})` };
  } finally {
    clearTimeout(connecting);
  }
}

/** Builds the pinned module with the Go toolchain, whose own module and build caches make a repeated one quick. */
export async function goBuild(component: Component, draft: string, options: ResolveOptions): Promise<Obtained> {
  if (component.go === undefined) return undefined;
  const go = findGo(options);
  if (go === undefined) return { failure: `${component.name}: no Go toolchain on PATH to build it with` };
  const bin = join(draft, 'bin');
  mkdirSync(bin, { recursive: true });
  options.report(`building ${component.name} ${component.version} with Go (once; 1 to 5 minutes)`);
  const outcome = await runToEnd(go, ['install', component.go.module], {
    env: { ...options.environment, GOBIN: bin },
    timeoutMs: options.timeoutSeconds * 1000,
    onTick: (seconds) => options.report(`still building ${component.name} (${seconds} s)`),
  });
  if (outcome.timedOut) return { failure: `${component.name}: not built within ${options.timeoutSeconds} s` };
  if (outcome.code !== 0) return { failure: `${component.name}: the build failed (${lastLine(outcome.output)})` };
  return { path: join(bin, process.platform === 'win32' ? `${component.go.program}.exe` : component.go.program) };
}

/** Installs the Debian package, which only root can. The program is then on PATH. */
export async function aptInstall(component: Component, options: ResolveOptions): Promise<Obtained> {
  if (component.apt === undefined) return undefined;
  if (!existsSync('/usr/bin/apt-get')) return { failure: `${component.name}: there is no apt-get` };
  if (process.getuid?.() !== 0) return { failure: `${component.name}: apt-get install ${component.apt} needs root` };
  options.report(`installing ${component.apt} with apt-get`);
  const env = { ...options.environment, DEBIAN_FRONTEND: 'noninteractive' };
  const timeoutMs = options.timeoutSeconds * 1000;
  const onTick = (seconds: number) => options.report(`still installing ${component.apt} (${seconds} s)`);
  await runToEnd('apt-get', ['update', '-q'], { env, timeoutMs, onTick });
  // Only the program is wanted: a service that starts by itself would take the common port.
  const outcome = await runToEnd(
    'apt-get',
    ['install', '-y', '-q', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=300', component.apt],
    { env: { ...env, RUNLEVEL: '1' }, timeoutMs, onTick },
  );
  if (outcome.code !== 0) return { failure: `${component.name}: apt-get failed (${lastLine(outcome.output)})` };
  return { path: component.name };
}

function findGo({
  environment,
  goFolders = ['/usr/local/go/bin', '/usr/lib/go/bin'],
}: ResolveOptions): string | undefined {
  const name = process.platform === 'win32' ? 'go.exe' : 'go';
  return [...(environment.PATH ?? '').split(delimiter), ...goFolders]
    .filter(Boolean)
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
}

function lastLine(output: string): string {
  return output.trim().split('\n').at(-1)?.slice(0, 300) ?? '';
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
