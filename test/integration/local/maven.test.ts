/** Getting a Java program from Maven: its jars stay beside it, and what is broken off never looks finished. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Component } from '../../../src/local/components/contract.ts';
import { cachedPath, resolveComponent } from '../../../src/local/components/resolve.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ostinato-maven-'));
  program('java', 'echo "java $*"');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const THING: Component = {
  name: 'thing',
  version: '2.0',
  onPath: [],
  check: {
    args: ['--version'],
    accepts: (output) => /^java -cp .*\/lib\/\* org\.example\.Thing --version/.test(output),
  },
  maven: { artifact: 'org.example:thing:2.0', main: 'org.example.Thing' },
  advice: 'install Java and Maven',
};

function program(name: string, script: string): void {
  const path = join(folder, 'tools', name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
}

const lines: string[] = [];
const resolveThing = (timeoutSeconds = 20) =>
  resolveComponent(THING, {
    cacheDir: join(folder, 'cache'),
    timeoutSeconds,
    report: (line) => lines.push(line),
    environment: { PATH: `${join(folder, 'tools')}:/usr/bin:/bin` },
  });

/** Copies a jar to where the real one is told to. */
const COPIES = 'd=$(echo "$*" | sed "s/.*-DoutputDirectory=//"); mkdir -p "$d"; echo jar > "$d/thing.jar"';

it('keeps the program with its jars, and finds both again', async () => {
  program('mvn', COPIES);
  expect(await resolveThing()).toEqual({ path: cachedPath(THING, join(folder, 'cache')), origin: 'maven' });
  expect(readdirSync(join(dirname(cachedPath(THING, join(folder, 'cache'))), 'lib'))).toEqual(['thing.jar']);
  rmSync(join(folder, 'tools', 'mvn'));
  expect((await resolveThing()).origin).toBe('cache');
});

it('says what Maven said, and keeps nothing', async () => {
  program('mvn', `${COPIES}; echo "[ERROR] no such artifact"; exit 1`);
  await expect(resolveThing()).rejects.toThrow(
    /Maven failed \(\[ERROR\] no such artifact\)[\s\S]*install Java and Maven/,
  );
  expect(existsSync(dirname(cachedPath(THING, join(folder, 'cache'))))).toBe(false);
});

it('one that hangs is ended in time', async () => {
  program('mvn', `${COPIES}; sleep 60`);
  await expect(resolveThing(1)).rejects.toThrow(/not there within 1 s/);
  expect(existsSync(dirname(cachedPath(THING, join(folder, 'cache'))))).toBe(false);
});
