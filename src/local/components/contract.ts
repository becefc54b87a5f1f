/** What a component is: a program that is found, downloaded or built, at a pinned version. */

export interface Component {
  /** Name of the program and of its folder in the cache. */
  name: string;
  version: string;
  /** Names under which it may stand on PATH; none means that PATH is not asked. */
  onPath: readonly string[];
  /** Called with what `args` print (both streams); tells whether that program will do. */
  check: { args: readonly string[]; accepts: (output: string) => boolean };
  /** The vendor's archive for a platform, and the program's path in it. */
  download?: (platform: string, arch: string) => { url: string; file: string } | undefined;
  /** Package path of `go install`, with `@version`, and the name that Go gives the program. */
  go?: { module: string; program: string };
  /** `group:name:version` of a Java program in Maven, and its main class. */
  maven?: { artifact: string; main: string };
  /** Requirement of pip with its version, and the module that `python3 -m` runs. */
  pip?: { requirement: string; module: string };
  /** Debian package that holds it. */
  apt?: string;
  /** What a person can do when nothing worked. */
  advice: string;
}

export type Origin = 'PATH' | 'cache' | 'download' | 'build' | 'maven' | 'pip' | 'apt';

export interface Resolved {
  path: string;
  origin: Origin;
}

/**
 * What a way to get a component led to; undefined: this way does not exist for it. With `folder`, all of that folder
 * belongs to the program.
 */
export type Obtained = { path: string; folder?: string } | { failure: string } | undefined;

export interface ResolveOptions {
  cacheDir: string;
  timeoutSeconds: number;
  /** One line for people: what takes long, and what did not work. */
  report: (line: string) => void;
  /** Environment that PATH is read from and that builds inherit. */
  environment: NodeJS.ProcessEnv;
  /** Where Go is looked for besides PATH; the places it is usually put by default. */
  goFolders?: readonly string[];
}
