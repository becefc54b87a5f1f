/** Getting a component: what is found, what is refused, and that nothing half made ever looks finished. */
import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TEMPORAL } from '../../../src/local/components/catalogue.ts';
import type { Component, ResolveOptions } from '../../../src/local/components/contract.ts';
import { runToEnd } from '../../../src/local/components/process.ts';
import { cachedPath, resolveComponent } from '../../../src/local/components/resolve.ts';

let folder: string;
let server: Server | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ostinato-components-'));
});
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
  server = undefined;
  rmSync(folder, { recursive: true, force: true });
});

const lines: string[] = [];
function options(environment: NodeJS.ProcessEnv = { PATH: '/usr/bin:/bin' }): ResolveOptions {
  lines.length = 0;
  return {
    cacheDir: join(folder, 'cache'),
    timeoutSeconds: 30,
    report: (line) => lines.push(line),
    environment,
  };
}

function component(url: string | undefined, extra: Partial<Component> = {}): Component {
  return {
    name: 'thing',
    version: '2.0',
    onPath: ['thing'],
    check: { args: ['--version'], accepts: (output) => output.includes('thing 2.') },
    ...(url === undefined ? {} : { download: () => ({ url, file: 'thing' }) }),
    advice: 'install thing, or set THING_ADDRESS',
    ...extra,
  };
}

/** A program that prints a version. */
function program(path: string, version: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\necho thing ${version}\n`);
  chmodSync(path, 0o755);
  return path;
}

async function archiveOf(version: string): Promise<Buffer> {
  program(join(folder, 'archive', 'thing'), version);
  const archive = join(folder, 'thing.tar.gz');
  await runToEnd('tar', ['-czf', archive, '-C', join(folder, 'archive'), 'thing'], {
    env: process.env,
    timeoutMs: 10_000,
  });
  return readFileSync(archive);
}

/** Serves `body`; `stall` sends half of it and then nothing. */
async function serve(
  body: Buffer,
  mode: { stall: boolean } = { stall: false },
): Promise<{ url: string; hits: () => number }> {
  let hits = 0;
  server = createServer((_request, response) => {
    hits += 1;
    response.setHeader('content-length', body.length);
    if (mode.stall) response.write(body.subarray(0, body.length / 2));
    else response.end(body);
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return { url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/thing`, hits: () => hits };
}

it('takes one from PATH only in a version that will do', async () => {
  const old = program(join(folder, 'old', 'thing'), '1.0');
  const good = program(join(folder, 'good', 'thing'), '2.1');
  const found = await resolveComponent(
    component(undefined),
    options({ PATH: `${dirname(old)}:${dirname(good)}:/usr/bin:/bin` }),
  );
  expect(found).toEqual({ path: good, origin: 'PATH' });
  expect(lines).toEqual([`${old} is not a version this works with; looking further`]);
});

it('downloads once, keeps it, and leaves no temporary file', async () => {
  const { url, hits } = await serve(await archiveOf('2.0'));
  const first = await resolveComponent(component(url), options());
  expect(first).toEqual({ path: cachedPath(component(url), join(folder, 'cache')), origin: 'download' });
  expect((await resolveComponent(component(url), options())).origin).toBe('cache');
  expect(hits()).toBe(1);
  expect(readdirSync(join(folder, 'cache', 'tmp'))).toEqual([]);
});

it('two at once get it once', async () => {
  const { url, hits } = await serve(await archiveOf('2.0'));
  const found = await Promise.all([1, 2, 3].map(() => resolveComponent(component(url), options())));
  expect(new Set(found.map(({ path }) => path)).size).toBe(1);
  expect(hits()).toBe(1);
});

it('keeps nothing that does not pass its check, and says what a person can do', async () => {
  const { url } = await serve(await archiveOf('1.0'));
  const failure = await resolveComponent(component(url), options()).catch((error: Error) => error);
  expect(String(failure)).toContain('what the download brought does not run or is another version');
  expect(String(failure)).toContain('install thing, or set THING_ADDRESS');
  expect(existsSync(cachedPath(component(url), join(folder, 'cache')))).toBe(false);
});

it('without Go the last word names what to do', async () => {
  const wanted = component(undefined, { go: { module: 'example.invalid/thing@v2.0.0', program: 'thing' } });
  const bare = options({ PATH: join(folder, 'empty') });
  const failure = await resolveComponent(wanted, { ...bare, goFolders: [] }).catch((error: Error) => error);
  expect(String(failure)).toMatch(/no Go toolchain on PATH/);
  expect(String(failure).trim().endsWith('install thing, or set THING_ADDRESS')).toBe(true);
});

it('one killed in the middle of a download leaves nothing that looks finished, and the next one gets it', async () => {
  const mode = { stall: true };
  const { url, hits } = await serve(await archiveOf('2.0'), mode);
  const script = join(folder, 'resolve.ts');
  const resolver = fileURLToPath(new URL('../../../src/local/components/resolve.ts', import.meta.url));
  writeFileSync(
    script,
    `import { resolveComponent } from ${JSON.stringify(resolver)};
     await resolveComponent(
       { name: 'thing', version: '2.0', onPath: [], check: { args: ['--version'], accepts: () => true }, advice: '',
         download: () => ({ url: ${JSON.stringify(url)}, file: 'thing' }) },
       { cacheDir: ${JSON.stringify(join(folder, 'cache'))}, timeoutSeconds: 30, report: () => {}, environment: process.env });`,
  );
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', script], { stdio: 'inherit' });
  const draft = join(folder, 'cache', 'tmp');
  await expect.poll(() => hits() === 1 && existsSync(draft), { timeout: 20_000 }).toBe(true);
  child.kill('SIGKILL');
  await new Promise((resolve) => child.on('close', resolve));
  const path = cachedPath(component(url), join(folder, 'cache'));
  expect(existsSync(path)).toBe(false);
  expect(readdirSync(join(folder, 'cache', 'locks'))).toHaveLength(1);

  mode.stall = false;
  expect(await resolveComponent(component(url), options())).toEqual({ path, origin: 'download' });
  expect(readdirSync(join(folder, 'cache', 'locks'))).toEqual([]);
});

it('a build that is broken off leaves nothing that looks finished', async () => {
  const go = join(folder, 'go', 'go');
  mkdirSync(dirname(go));
  // Writes the program at once, as a linker does, and then hangs.
  writeFileSync(go, '#!/bin/sh\necho half > "$GOBIN/thing"; chmod +x "$GOBIN/thing"; sleep 60\n');
  chmodSync(go, 0o755);
  const wanted = component(undefined, { go: { module: 'example.invalid/thing@v2.0.0', program: 'thing' } });
  const failure = await resolveComponent(wanted, {
    ...options({ PATH: `${dirname(go)}:/usr/bin:/bin` }),
    timeoutSeconds: 1,
  }).catch((error: Error) => error);
  expect(String(failure)).toContain('not built within 1 s');
  expect(existsSync(cachedPath(wanted, join(folder, 'cache')))).toBe(false);
});

it("names the vendor's archive for each platform", () => {
  expect(TEMPORAL.download?.('linux', 'arm64')).toEqual({
    url: 'https://temporal.download/cli/archive/v1.5.1?platform=linux&arch=arm64',
    file: 'temporal',
  });
  expect(TEMPORAL.download?.('win32', 'x64')?.file).toBe('temporal.exe');
  expect(TEMPORAL.download?.('aix', 'ppc64')).toBeUndefined();
});

it('knows a server that is too old', () => {
  expect(TEMPORAL.check.accepts('temporal version 0.0.0-DEV (Server 1.29.1, UI 2.42.1)')).toBe(true);
  expect(TEMPORAL.check.accepts('temporal version 1.8.0 (Server 1.30.0, UI 2.43.0)')).toBe(true);
  expect(TEMPORAL.check.accepts('temporal version 1.1.0 (Server 1.25.0, UI 2.30.0)')).toBe(false);
});
