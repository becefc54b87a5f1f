/** Positions in the event log: `<xid>-<seq>`, in the one global order. */

export interface EventPosition {
  readonly xid: bigint;
  readonly seq: bigint;
}

/** Before the oldest event. */
export const BEGINNING: EventPosition = { xid: 0n, seq: 0n };

const LAST_SEQ = 9_223_372_036_854_775_807n;

/** The cursor as callers hold it; an unreadable one, and `0`, is the beginning of the log. */
export function parsePosition(cursor: string | null): EventPosition {
  const match = /^(\d{1,20})-(\d{1,19})$/.exec(cursor ?? '');
  return match ? { xid: BigInt(match[1] ?? 0), seq: BigInt(match[2] ?? 0) } : BEGINNING;
}

export function formatPosition({ xid, seq }: EventPosition): string {
  return `${xid}-${seq}`;
}

/** Behind everything that transactions below `xmin` wrote. */
export function positionBelow(xmin: bigint): EventPosition {
  return { xid: xmin - 1n, seq: LAST_SEQ };
}

export function isAfter(a: EventPosition, b: EventPosition): boolean {
  return a.xid > b.xid || (a.xid === b.xid && a.seq > b.seq);
}
