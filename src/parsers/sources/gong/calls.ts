/**
 * Calls as call_metadata records.
 * https://help.gong.io/apidocs/retrieve-detailed-call-data-by-various-filters-v2callsextensive-2 and, for the flat
 * form, https://help.gong.io/apidocs/retrieve-data-for-a-specific-call-v2callsid
 */
import type { ParsedRecord } from '../../../schema/records.ts';
import { RecordError } from '../../contract.ts';
import { record } from '../record.ts';
import { isoFromText } from '../times.ts';
import { distinct, id, isObject, labelled, lines, num, objects, type Row, str } from '../values.ts';
import { callIdOf, metaOf, partyName } from './people.ts';

export function callRecord(call: Row): ParsedRecord {
  const callId = callIdOf(call);
  if (callId === null) throw new RecordError('call without an id');
  const meta = metaOf(call);
  const parties = objects(call.parties);
  const host = id(meta.primaryUserId);
  const hosting = host === null ? undefined : parties.find((party) => id(party.userId) === host);
  const title = str(meta.title);
  return record({
    external_id: callId,
    content_type: 'call_metadata',
    title,
    text: lines(
      title ?? `Call ${callId}`,
      labelled('Purpose', meta.purpose),
      labelled('Started', str(meta.started) ?? str(meta.scheduled)),
      labelled('Duration', duration(num(meta.duration))),
      labelled('Direction', meta.direction),
      labelled('Scope', meta.scope),
      labelled('System', meta.system),
      labelled('Outcome', meta.sdrDisposition),
      parties.length === 0 ? null : `Participants: ${parties.map(partyLine).join('; ')}`,
      ...crmLines(call.context),
    ),
    author: (hosting === undefined ? null : partyName(hosting)) ?? host,
    participants: distinct(parties.map(partyName)),
    occurred_at: isoFromText(meta.started) ?? isoFromText(meta.scheduled),
    url: str(meta.url),
    metadata: {
      call_id: callId,
      duration_seconds: num(meta.duration),
      direction: meta.direction,
      scope: meta.scope,
      media: meta.media,
      system: meta.system,
      language: meta.language,
      workspace_id: id(meta.workspaceId),
      primary_user_id: host,
      is_private: meta.isPrivate,
      meeting_url: meta.meetingUrl,
      parties: parties.map((party) => ({
        name: partyName(party),
        email: party.emailAddress,
        title: party.title,
        affiliation: party.affiliation,
        speaker_id: id(party.speakerId),
        user_id: id(party.userId),
      })),
      interaction: interaction(call.interaction),
      crm: objects(call.context).flatMap((context) =>
        objects(context.objects).map((object) => ({
          system: context.system,
          type: object.objectType,
          id: id(object.objectId),
        })),
      ),
    },
  });
}

function partyLine(party: Row): string {
  const role = [str(party.title), str(party.affiliation)?.toLowerCase()].filter((part) => part).join(', ');
  const name = partyName(party) ?? 'unknown';
  return role === '' ? name : `${name} (${role})`;
}

/** `context`: the CRM records that a call is linked to, with their fields. */
function crmLines(context: unknown): string[] {
  return objects(context).flatMap((system) =>
    objects(system.objects).flatMap((object) => {
      const name = objects(object.fields).find((field) => field.name === 'Name')?.value;
      return typeof name === 'string' && str(object.objectType) ? [`${str(object.objectType)}: ${name}`] : [];
    }),
  );
}

function duration(seconds: number | null): string | null {
  if (seconds === null || seconds < 0) return null;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** `interaction`: talk times, questions and the statistics by name. */
function interaction(value: unknown): Row | undefined {
  if (!isObject(value)) return undefined;
  const stats: Record<string, unknown> = {};
  for (const stat of objects(value.interactionStats ?? value.personInteractionStats)) {
    const name = str(stat.name);
    if (name !== null) stats[name] = stat.value;
  }
  return { speakers: value.speakers, questions: value.questions, stats };
}
