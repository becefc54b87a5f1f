/** The way to get a Python program: its packages in one folder, and a script beside them that starts it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Component, Obtained, ResolveOptions } from './contract.ts';
import { runToEnd } from './process.ts';

/** Brings the packages and the script as one folder, which stays together. Needs `python3` with pip. */
export async function pipPackages(component: Component, draft: string, options: ResolveOptions): Promise<Obtained> {
  if (component.pip === undefined || process.platform === 'win32') return undefined;
  const { requirement, module } = component.pip;
  const whole = join(draft, 'packages');
  options.report(`getting ${requirement} from the Python package index (once; some 80 MB)`);
  const outcome = await runToEnd(
    'python3',
    ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--target', join(whole, 'lib'), requirement],
    {
      env: options.environment,
      timeoutMs: options.timeoutSeconds * 1000,
      onTick: (seconds) => options.report(`still getting ${component.name} (${seconds} s)`),
    },
  );
  if (outcome.timedOut) return { failure: `${component.name}: not there within ${options.timeoutSeconds} s` };
  if (outcome.code !== 0) {
    return { failure: `${component.name}: pip failed (${outcome.output.trim().split('\n').at(-1)?.slice(0, 300)})` };
  }
  const path = join(whole, component.name);
  const script = `#!/bin/sh\nPYTHONPATH="$(dirname "$0")/lib" exec python3 -m ${module} "$@"\n`;
  writeFileSync(path, script, { mode: 0o755 });
  return { path, folder: whole };
}
