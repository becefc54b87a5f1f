/** Whether a child process that is kept for later holds up the end of this one. */
import type { ChildProcess } from 'node:child_process';

/** Held, this process waits for it; let go, it ends with this process. Its IPC channel counts as well. */
export function holdChild(child: ChildProcess, held: boolean): void {
  if (held) {
    child.ref();
    child.channel?.ref();
  } else {
    child.unref();
    child.channel?.unref();
  }
}
