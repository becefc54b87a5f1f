/** Addresses of runs and their artifacts: `ostinato://runs/{run_id}`, `ostinato://runs/{run_id}/artifacts/{name}`. */

const RUNS = 'ostinato://runs/';

export const RUN_TEMPLATE = `${RUNS}{run_id}`;
/** Names hold slashes (`stage/file`), which stay as they are. */
export const ARTIFACT_TEMPLATE = `${RUNS}{run_id}/artifacts/{+name}`;

export function runUri(runId: string): string {
  return `${RUNS}${encodeURIComponent(runId)}`;
}

export function artifactUri(runId: string, name: string): string {
  return `${runUri(runId)}/artifacts/${name.split('/').map(encodeURIComponent).join('/')}`;
}

/** What an address names; null when it is no address of a run. `artifact` null: the run itself. */
export function parseRunUri(uri: string): { runId: string; artifact: string | null } | null {
  const match = /^ostinato:\/\/runs\/([^/?#]+)(?:\/artifacts\/([^?#]+))?$/.exec(uri);
  if (!match?.[1]) return null;
  try {
    const artifact = match[2]?.split('/').map(decodeURIComponent).join('/') ?? null;
    return { runId: decodeURIComponent(match[1]), artifact };
  } catch {
    // A percent sign that encodes nothing.
    return null;
  }
}
