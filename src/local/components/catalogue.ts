/** The programs that this project can start for itself, each at the version it was measured with. */
import type { Component } from './contract.ts';

/** Temporal's CLI with the dev server. 1.8 and later cannot be built with `go install` (a replace directive). */
export const TEMPORAL: Component = {
  name: 'temporal',
  version: '1.5.1',
  onPath: ['temporal'],
  // A build from the module calls itself 0.0.0-DEV, so the server's version is what counts.
  check: { args: ['--version'], accepts: (output) => atLeast(/Server (\d+)\.(\d+)/.exec(output), [1, 29]) },
  download: (platform, arch) => {
    const system = { linux: 'linux', darwin: 'darwin', win32: 'windows' }[platform];
    const machine = { x64: 'amd64', arm64: 'arm64' }[arch];
    if (system === undefined || machine === undefined) return undefined;
    const query = `platform=${system}&arch=${machine}`;
    return {
      url: `https://temporal.download/cli/archive/v1.5.1?${query}`,
      file: platform === 'win32' ? 'temporal.exe' : 'temporal',
    };
  },
  go: { module: 'github.com/temporalio/cli/cmd/temporal@v1.5.1', program: 'temporal' },
  advice: 'install the Temporal CLI or Go, or set TEMPORAL_ADDRESS',
};

export const WEAVIATE: Component = {
  name: 'weaviate-server',
  version: '1.35.2',
  onPath: [],
  // It has no --version.
  check: { args: ['--help'], accepts: (output) => output.includes('--scheme') },
  go: { module: 'github.com/weaviate/weaviate/cmd/weaviate-server@v1.35.2', program: 'weaviate-server' },
  advice: 'install Go, or set WEAVIATE_URL',
};

export const VERSITYGW: Component = {
  name: 'versitygw',
  version: '1.8.0',
  onPath: ['versitygw'],
  check: { args: ['--version'], accepts: (output) => /version/i.test(output) },
  go: { module: 'github.com/versity/versitygw/cmd/versitygw@v1.8.0', program: 'versitygw' },
  advice: 'install Go or versitygw, or set S3_ENDPOINT',
};

/** The full Temporal server, which keeps its state in Postgres. 1.32 and later want a newer Go. */
export const TEMPORAL_SERVER: Component = {
  name: 'temporal-server',
  version: '1.29.1',
  onPath: ['temporal-server'],
  check: { args: ['--version'], accepts: (output) => atLeast(/version (\d+)\.(\d+)/.exec(output), [1, 29]) },
  go: { module: 'go.temporal.io/server/cmd/server@v1.29.1', program: 'server' },
  advice: 'install Go or temporal-server',
};

/** Lays out the Temporal server's tables. */
export const TEMPORAL_SQL_TOOL: Component = {
  name: 'temporal-sql-tool',
  version: '1.29.1',
  onPath: ['temporal-sql-tool'],
  check: { args: ['--version'], accepts: (output) => atLeast(/version (\d+)\.(\d+)/.exec(output), [1, 29]) },
  go: { module: 'go.temporal.io/server/cmd/tools/sql@v1.29.1', program: 'sql' },
  advice: 'install Go or temporal-sql-tool',
};

/** Temporal's server that skips time, for tests of what waits. Its only word without a port is that it wants one. */
export const TEMPORAL_TEST_SERVER: Component = {
  name: 'temporal-test-server',
  version: '1.38.0',
  onPath: ['temporal-test-server'],
  check: { args: ['--version'], accepts: (output) => output.includes('NumberFormatException') },
  download: (platform, arch) => {
    const system = { linux: 'linux', darwin: 'macOS' }[platform];
    const machine = { x64: 'amd64', arm64: 'arm64' }[arch];
    // There is no build for Linux on ARM.
    if (system === undefined || machine === undefined || (system === 'linux' && machine === 'arm64')) return undefined;
    const folder = `temporal-test-server_1.38.0_${system}_${machine}`;
    return {
      url: `https://github.com/temporalio/sdk-java/releases/download/v1.38.0/${folder}.tar.gz`,
      file: `${folder}/temporal-test-server`,
    };
  },
  maven: { artifact: 'io.temporal:temporal-test-server:1.38.0', main: 'io.temporal.testserver.TestServer' },
  advice: 'install Java and Maven',
};

export const REDIS: Component = {
  name: 'redis-server',
  version: '6',
  onPath: ['redis-server', 'valkey-server'],
  check: { args: ['--version'], accepts: (output) => atLeast(/v=(\d+)\.(\d+)/.exec(output), [6, 0]) },
  apt: 'redis-server',
  advice: 'install redis-server',
};

/** Makes requests from an OpenAPI document, for tests. */
export const SCHEMATHESIS: Component = {
  name: 'schemathesis',
  version: '4.32.5',
  onPath: [],
  check: { args: ['--version'], accepts: (output) => output.includes('4.32.5') },
  pip: { requirement: 'schemathesis==4.32.5', module: 'schemathesis.cli' },
  advice: 'install Python 3.10 or newer with pip',
};

function atLeast(found: RegExpExecArray | null, [major, minor]: readonly [number, number]): boolean {
  if (found === null) return false;
  const [foundMajor, foundMinor] = [Number(found[1]), Number(found[2])];
  return foundMajor > major || (foundMajor === major && foundMinor >= minor);
}
