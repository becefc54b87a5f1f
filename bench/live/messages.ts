/** What the measuring process and the process with the sockets tell each other. */

export interface Start {
  kind: 'start';
  url: string;
  token: string;
  sockets: number;
}

/** Moments of the commits, by the number that each event carries; milliseconds of the system's own clock. */
export interface Commits {
  kind: 'commits';
  moments: number[];
}

export type ToSockets = Start | Commits;

export type FromSockets =
  | { kind: 'open' }
  /** `latencies`: one a socket and event, in milliseconds. */
  | { kind: 'done'; latencies: number[]; missing: number; repeated: number };

/** One clock for all processes of a machine. */
export function moment(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
