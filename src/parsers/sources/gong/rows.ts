/**
 * CSV of calls (a row a call) and of transcripts (a row a turn), recognised by their columns. Gong documents no fixed
 * titles for these, so columns are found by the field names of its API and by their labels:
 * https://help.gong.io/apidocs/retrieve-call-data-by-date-range-v2calls-2
 */
import type { ParsedRecord } from '../../../schema/records.ts';
import { RecordError } from '../../contract.ts';
import { type Fields, listed, pick } from '../columns.ts';
import { stableHash } from '../hash.ts';
import { record } from '../record.ts';
import { isoFromAny } from '../times.ts';
import { distinct, labelled, lines, num } from '../values.ts';
import { type Calls, metaFrom } from './people.ts';
import { turnRecord } from './transcripts.ts';

export function* rowRecords(fields: Fields, calls: Calls): Iterable<ParsedRecord> {
  if (fields.size === 0) return;
  const callId = pick(fields, 'callid', 'gongcallid', 'conversationid', 'id');
  const said = pick(fields, 'transcript', 'text', 'sentence', 'utterance', 'transcripttext');
  const speaker = pick(fields, 'speaker', 'speakername', 'speakerid');
  if (callId !== null && said !== null && (speaker !== null || fields.has('start') || fields.has('starttime'))) {
    yield turn(fields, callId, said, speaker, calls);
  } else yield* call(fields, callId);
}

function turn(fields: Fields, callId: string, text: string, speaker: string | null, calls: Calls): ParsedRecord {
  const start = milliseconds(pick(fields, 'startms', 'start', 'starttime', 'offset', 'timestamp'));
  const speakerId = pick(fields, 'speakerid');
  const facts = calls.get(callId) ?? {
    ...metaFrom(pick(fields, 'calltitle', 'title'), pick(fields, 'started', 'callstarted', 'calldate', 'date')),
  };
  const name = pick(fields, 'speakername', 'speaker') ?? facts.speakers.get(speakerId ?? '') ?? null;
  const key =
    start === null ? `row-${stableHash(speaker ?? '', text)}` : `${start}:${speakerId ?? speaker ?? 'unknown'}`;
  const end = milliseconds(pick(fields, 'endms', 'end', 'endtime'));
  return turnRecord({ callId, key, text, name, speakerId, start, end, topic: pick(fields, 'topic'), facts });
}

/** Milliseconds as the API gives them, or a clock (`1:02:03`, `02:03`). */
function milliseconds(cell: string | null): number | null {
  if (cell === null) return null;
  if (!cell.includes(':')) return num(cell);
  const parts = cell.split(':').map(Number);
  return parts.every(Number.isFinite) ? Math.round(parts.reduce((sum, part) => sum * 60 + part, 0) * 1000) : null;
}

function* call(fields: Fields, callId: string | null): Iterable<ParsedRecord> {
  const title = pick(fields, 'calltitle', 'title', 'name', 'callname');
  const started = pick(fields, 'started', 'startedat', 'starttime', 'calldate', 'callstarttime', 'date', 'scheduled');
  if (callId === null && title === null) throw new RecordError('row is neither a call nor a turn of a transcript');
  const key = callId ?? stableHash(title ?? '', started ?? '');
  const host = pick(fields, 'host', 'owner', 'callowner', 'primaryuser', 'rep', 'primaryuserid');
  const people = distinct([host, ...listed(pick(fields, 'participants', 'attendees', 'parties', 'contacts'))]);
  const occurredAt = isoFromAny(started);
  const url = pick(fields, 'url', 'callurl', 'link');
  yield record({
    external_id: key,
    content_type: 'call_metadata',
    title,
    text: lines(
      title ?? `Call ${key}`,
      labelled('Account', pick(fields, 'account', 'accountname', 'company')),
      labelled('Started', started),
      labelled('Duration', pick(fields, 'duration', 'callduration', 'durationminutes', 'durationseconds')),
      labelled('Direction', pick(fields, 'direction')),
      labelled('Outcome', pick(fields, 'outcome', 'disposition', 'sdrdisposition')),
      people.length === 0 ? null : `Participants: ${people.join('; ')}`,
    ),
    author: host,
    participants: people,
    occurred_at: occurredAt,
    url,
    metadata: { call_id: callId, ...Object.fromEntries(fields) },
  });
  yield* rowInsights(fields, { key, title, occurredAt, url });
}

interface CallRow {
  key: string;
  title: string | null;
  occurredAt: string | null;
  url: string | null;
}

/** The columns of a call that say what it was about; ids are those of the same findings in JSON. */
const FINDINGS: readonly [kind: string, label: string, columns: readonly string[]][] = [
  ['brief', '', ['brief', 'summary', 'callsummary', 'callbrief']],
  ['key_points', 'Key points', ['keypoints', 'highlights']],
  ['next_steps', 'Next steps', ['nextsteps', 'actionitems']],
  ['trackers', 'Trackers', ['trackers']],
  ['topics', 'Topics', ['topics']],
];

function* rowInsights(fields: Fields, call: CallRow): Iterable<ParsedRecord> {
  for (const [kind, label, columns] of FINDINGS) {
    const value = pick(fields, ...columns);
    if (value === null) continue;
    yield record({
      external_id: `${call.key}:${kind}`,
      content_type: 'insights',
      title: call.title,
      text: label === '' ? value : `${label}: ${value}`,
      occurred_at: call.occurredAt,
      url: call.url,
      parent_id: call.key,
      metadata: { kind, call_id: call.key },
    });
  }
}
