/** The way to get a Java program: its jars from Maven, and a script beside them that starts it. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Component, Obtained, ResolveOptions } from './contract.ts';
import { runToEnd } from './process.ts';

/** Resolves the artifact with all it needs at run time; the plugin is pinned like the artifact. */
const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';

/** Brings the jars and the script as one folder, which stays together. Needs `mvn` and `java` on PATH. */
export async function mavenJars(component: Component, draft: string, options: ResolveOptions): Promise<Obtained> {
  if (component.maven === undefined || process.platform === 'win32') return undefined;
  for (const program of ['java', 'mvn']) {
    if (!isOnPath(program, options.environment)) {
      return { failure: `${component.name}: no ${program} on PATH to get it from Maven with` };
    }
  }
  const whole = join(draft, 'jars');
  mkdirSync(whole);
  const pom = join(draft, 'pom.xml');
  writeFileSync(pom, project(component.maven.artifact));
  options.report(`getting ${component.maven.artifact} from Maven (once; some 40 MB)`);
  const outcome = await runToEnd(
    'mvn',
    ['-q', '-B', '-f', pom, COPY, '-DincludeScope=runtime', `-DoutputDirectory=${join(whole, 'lib')}`],
    {
      env: options.environment,
      timeoutMs: options.timeoutSeconds * 1000,
      onTick: (seconds) => options.report(`still getting ${component.name} (${seconds} s)`),
    },
  );
  if (outcome.timedOut) return { failure: `${component.name}: not there within ${options.timeoutSeconds} s` };
  if (outcome.code !== 0) return { failure: `${component.name}: Maven failed (${firstError(outcome.output)})` };
  const path = join(whole, component.name);
  const script = `#!/bin/sh\nexec java -cp "$(dirname "$0")/lib/*" ${component.maven.main} "$@"\n`;
  writeFileSync(path, script, { mode: 0o755 });
  return { path, folder: whole };
}

function project(artifact: string): string {
  const [group, name, version] = artifact.split(':');
  return `<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>ostinato</groupId><artifactId>jars</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies><dependency>
    <groupId>${group}</groupId><artifactId>${name}</artifactId><version>${version}</version>
  </dependency></dependencies>
</project>
`;
}

function isOnPath(program: string, environment: NodeJS.ProcessEnv): boolean {
  return (environment.PATH ?? '').split(delimiter).some((folder) => folder !== '' && existsSync(join(folder, program)));
}

function firstError(output: string): string {
  const line = output.split('\n').find((each) => each.includes('[ERROR]')) ?? output.trim().split('\n').at(-1) ?? '';
  return line.slice(0, 300);
}
