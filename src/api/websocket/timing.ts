/** How long and how much a WebSocket may take; tests take less. */

export interface LiveLimits {
  /** For the first credential. */
  authMs: number;
  /** Between two pings; a peer that answered nothing in between is closed. */
  heartbeatMs: number;
  /** A reader whose buffer stays over the limit for so long is closed. */
  slowMs: number;
  /** Between two looks at whether a credential still holds. */
  recheckMs: number;
  /** For the peer to answer a close. */
  lingerMs: number;
  /** Live events wait so long for a `resume` that the client may send on `ready`. */
  firstWordMs: number;
  /** Bytes that may wait in the process for one socket. */
  bufferBytes: number;
  /** Of one message of the client. */
  messageBytes: number;
}

export const LIVE_LIMITS: LiveLimits = {
  authMs: 5_000,
  heartbeatMs: 15_000,
  slowMs: 15_000,
  recheckMs: 2_000,
  lingerMs: 3_000,
  firstWordMs: 200,
  bufferBytes: 64 * 1024,
  messageBytes: 16 * 1024,
};
