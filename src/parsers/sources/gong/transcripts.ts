/**
 * Transcripts, one record a speaker's turn. Times are milliseconds from the start of the call.
 * https://help.gong.io/apidocs/retrieve-transcripts-of-calls-by-date-or-callids-v2callstranscript-2
 */
import type { ParsedRecord } from '../../../schema/records.ts';
import { RecordError } from '../../contract.ts';
import { record } from '../record.ts';
import { isoFromText } from '../times.ts';
import { id, num, objects, type Row, str } from '../values.ts';
import type { CallFacts } from './people.ts';

export function* transcriptRecords(value: Row, callId: string | null, facts: CallFacts | null): Iterable<ParsedRecord> {
  if (callId === null) throw new RecordError('transcript without a callId');
  const used = new Set<string>();
  for (const [index, turn] of objects(value.transcript).entries()) {
    const sentences = objects(turn.sentences);
    const said = sentences.map((sentence) => str(sentence.text)).filter((text) => text !== null);
    const text = said.join(' ') || str(turn.text);
    if (text === null) continue;
    const start = num(sentences[0]?.start) ?? num(turn.start);
    const end = num(sentences.at(-1)?.end) ?? num(turn.end);
    const speakerId = id(turn.speakerId);
    let key = start === null ? `turn-${index}` : `${start}:${speakerId ?? 'unknown'}`;
    if (used.has(key)) key = `${key}:${index}`;
    used.add(key);
    const speaker = speakerId === null ? null : (facts?.speakers.get(speakerId) ?? null);
    const name = speaker ?? str(turn.speakerName);
    yield turnRecord({ callId, key, text, name, speakerId, start, end, topic: str(turn.topic), facts });
  }
}

interface Turn {
  callId: string;
  key: string;
  text: string;
  name: string | null;
  speakerId: string | null;
  start: number | null;
  end: number | null;
  topic: string | null;
  facts: CallFacts | null;
}

export function turnRecord(turn: Turn): ParsedRecord {
  const started = isoFromText(turn.facts?.started ?? null);
  return record({
    external_id: `${turn.callId}:${turn.key}`,
    content_type: 'transcript',
    title: turn.facts?.title ?? null,
    text: turn.text,
    author: turn.name,
    participants: turn.name === null ? [] : [turn.name],
    occurred_at: started === null ? null : new Date(Date.parse(started) + (turn.start ?? 0)).toISOString(),
    url: turn.facts?.url ?? null,
    parent_id: turn.callId,
    metadata: {
      call_id: turn.callId,
      speaker_id: turn.speakerId,
      topic: turn.topic,
      start_ms: turn.start,
      end_ms: turn.end,
    },
  });
}
