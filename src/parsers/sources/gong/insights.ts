/**
 * What Gong found in a call, one insights record each: `content` and the comments of `collaboration`.
 * https://help.gong.io/apidocs/retrieve-detailed-call-data-by-various-filters-v2callsextensive-2
 */
import type { ParsedRecord } from '../../../schema/records.ts';
import { stableHash } from '../hash.ts';
import { record } from '../record.ts';
import { isoFromText } from '../times.ts';
import { id, isObject, lines, num, objects, type Row, str } from '../values.ts';
import { type CallFacts, callIdOf } from './people.ts';

export function* insightRecords(call: Row, facts: CallFacts): Iterable<ParsedRecord> {
  const callId = callIdOf(call);
  const content = isObject(call.content) ? call.content : null;
  if (callId === null) return;
  const base = { callId, facts };
  if (content !== null) {
    yield* summary(content, base);
    yield* trackers(content, base);
    yield* topics(content, base);
    yield* pointsOfInterest(content.pointsOfInterest, base);
  }
  if (isObject(call.collaboration)) yield* comments(call.collaboration.publicComments, base);
}

interface Base {
  callId: string;
  facts: CallFacts;
}

function insight(
  base: Base,
  kind: string,
  key: string,
  text: string,
  more: Row = {},
  author?: string | null,
): ParsedRecord {
  const { callId, facts } = base;
  return record({
    external_id: key === '' ? `${callId}:${kind}` : `${callId}:${kind}:${key}`,
    content_type: 'insights',
    title: facts.title,
    text,
    author: author ?? null,
    participants: author ? [author] : [],
    occurred_at: isoFromText(facts.started),
    url: facts.url,
    parent_id: callId,
    metadata: { kind, call_id: callId, ...more },
  });
}

function* summary(content: Row, base: Base): Iterable<ParsedRecord> {
  const brief = str(content.brief);
  if (brief !== null) yield insight(base, 'brief', '', brief);
  const points = texts(content.keyPoints);
  if (points.length > 0) yield insight(base, 'key_points', '', `Key points:\n${bullets(points)}`);
  for (const highlight of objects(content.highlights)) {
    const items = texts(highlight.items);
    const title = str(highlight.title) ?? 'Highlights';
    if (items.length > 0) yield insight(base, 'highlights', title, `${title}:\n${bullets(items)}`);
  }
  const outline = objects(content.outline)
    .map((section) => lines(str(section.section), bullets(texts(section.items))))
    .filter((text) => text !== '');
  if (outline.length > 0) yield insight(base, 'outline', '', outline.join('\n'));
  const outcome = isObject(content.callOutcome) ? content.callOutcome : null;
  const name = outcome === null ? null : (str(outcome.name) ?? str(outcome.category));
  if (name !== null) yield insight(base, 'outcome', '', `Call outcome: ${name}`, { category: outcome?.category });
}

/** Trackers that did not come up (count 0) say nothing. */
function* trackers(content: Row, base: Base): Iterable<ParsedRecord> {
  for (const tracker of objects(content.trackers)) {
    const name = str(tracker.name);
    const count = num(tracker.count) ?? objects(tracker.occurrences).length;
    if (name === null || count === 0) continue;
    const phrases = objects(tracker.phrases).map((phrase) => str(phrase.phrase));
    const times = count === 1 ? 'once' : `${count} times`;
    yield insight(
      base,
      'tracker',
      id(tracker.id) ?? name,
      lines(`Tracker ${name}: mentioned ${times}`, phrases.filter((phrase) => phrase !== null).join(', ') || null),
      { name, count, type: tracker.type, occurrences: tracker.occurrences },
    );
  }
}

function* topics(content: Row, base: Base): Iterable<ParsedRecord> {
  for (const topic of objects(content.topics)) {
    const name = str(topic.name);
    const seconds = num(topic.duration);
    if (name === null || seconds === 0) continue;
    const length = seconds === null ? '' : ` (discussed for ${Math.round(seconds)} s)`;
    yield insight(base, 'topic', name, `Topic: ${name}${length}`, { name, duration_seconds: seconds });
  }
}

/** `{actionItems: [{snippetStartTime, snippetEndTime, speakerID, snippet}], …}`; new kinds read alike. */
function* pointsOfInterest(value: unknown, base: Base): Iterable<ParsedRecord> {
  if (!isObject(value)) return;
  for (const kind of Object.keys(value)) {
    for (const point of objects(value[kind])) {
      const snippet = str(point.snippet) ?? str(point.text);
      if (snippet === null) continue;
      const start = num(point.snippetStartTime);
      const speaker = id(point.speakerID) ?? id(point.speakerId);
      yield insight(
        base,
        'point_of_interest',
        `${kind}:${start ?? stableHash(snippet)}`,
        kind === 'actionItems' ? `Action item: ${snippet}` : snippet,
        { point: kind, start_seconds: start, end_seconds: num(point.snippetEndTime) },
        speaker === null ? null : (base.facts.speakers.get(speaker) ?? null),
      );
    }
  }
}

function* comments(value: unknown, base: Base): Iterable<ParsedRecord> {
  for (const comment of objects(value)) {
    const text = str(comment.comment);
    if (text === null) continue;
    const author = id(comment.commenterUserId);
    yield insight(
      base,
      'comment',
      id(comment.id) ?? stableHash(text),
      text,
      { posted_at: isoFromText(comment.posted), in_reply_to: id(comment.inReplyTo) },
      author === null ? null : (base.facts.speakers.get(author) ?? author),
    );
  }
}

function texts(items: unknown): string[] {
  return objects(items)
    .map((item) => str(item.text))
    .filter((text) => text !== null);
}

function bullets(items: readonly string[]): string {
  return items.map((item) => `- ${item}`).join('\n');
}
