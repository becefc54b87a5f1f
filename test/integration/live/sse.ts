/** A client of the event stream that writes down what it hears. */
import { parseEvents } from '../../../src/cli/sse.ts';

export interface SseEvent {
  seq: string;
  name: string;
  data: Record<string, unknown>;
}

/** Reads until it holds `count` events, or leaves after so long with what it has; rejects when it is refused. */
export async function readStream(
  server: { port: number },
  options: { token: string; query?: string; after?: string; count: number; leaveAfterMs?: number },
): Promise<SseEvent[]> {
  const { token, query = '', after, count, leaveAfterMs = 30_000 } = options;
  const leave = new AbortController();
  const timer = setTimeout(() => leave.abort(), leaveAfterMs);
  const heard: SseEvent[] = [];
  try {
    const response = await fetch(`http://127.0.0.1:${server.port}/api/v1/events?${query}`, {
      headers: { authorization: `Bearer ${token}`, ...(after === undefined ? {} : { 'last-event-id': after }) },
      signal: leave.signal,
    });
    if (!response.ok || response.body === null) throw new Error(`HTTP ${response.status}`);
    for await (const event of parseEvents(response.body)) {
      heard.push({ seq: event.id ?? '', name: event.name, data: JSON.parse(event.data) });
      if (heard.length >= count) break;
    }
  } catch (error) {
    if (!leave.signal.aborted) throw error;
  } finally {
    clearTimeout(timer);
    leave.abort();
  }
  return heard;
}
