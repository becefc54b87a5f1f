/** Types of lock.js, which is plain JavaScript because it also runs before anything is installed. */
export interface Holder {
  pid: number;
  startTime: string;
}
export interface Lock {
  release(): void;
}
export function startTimeOf(pid: number): string | undefined;
export function isAlive(holder: Holder): boolean;
export function tryLock(
  path: string,
): Promise<(Lock & { holder?: undefined }) | { holder: Holder; release?: undefined }>;
export function lock(path: string, options?: { timeoutMs?: number; onWait?: (holder: Holder) => void }): Promise<Lock>;
