/**
 * Gong samples: `/v2/calls/extensive`, `/v2/calls/transcript` and a CSV of calls.
 * https://help.gong.io/apidocs/retrieve-detailed-call-data-by-various-filters-v2callsextensive-2
 * https://help.gong.io/apidocs/retrieve-transcripts-of-calls-by-date-or-callids-v2callstranscript-2
 */
import { personName } from '../company.ts';
import { csv } from '../csv.ts';
import type { Labels, SampleFile } from '../labels.ts';
import { CALLS, type Call } from '../stories/calls.ts';

const TURN_MS = 24_000;

export function gongFiles(labels: Labels): SampleFile[] {
  for (const call of CALLS) label(call, labels);
  const records = { totalRecords: CALLS.length, currentPageSize: CALLS.length, currentPageNumber: 0 };
  return [
    {
      path: 'gong/calls.json',
      content: JSON.stringify({ requestId: '4al018gzaztcr8nbukw', records, calls: CALLS.map(extensive) }, null, 1),
    },
    {
      path: 'gong/transcripts.json',
      content: JSON.stringify(
        { requestId: '4al018gzaztcr8nbukx', records, callTranscripts: CALLS.map(transcript) },
        null,
        1,
      ),
    },
    { path: 'gong/calls.csv', content: callsCsv() },
  ];
}

function label(call: Call, labels: Labels): void {
  labels.add(call.label, { source: 'gong', content_type: 'call_metadata', external_id: call.id });
  for (const kind of ['brief', 'key_points']) {
    labels.add(`${call.label}.${kind}`, {
      source: 'gong',
      content_type: 'insights',
      external_id: `${call.id}:${kind}`,
    });
  }
  for (const [index, [name, count]] of call.trackers.entries()) {
    if (count > 0)
      labels.add(`${call.label}.tracker.${name}`, {
        source: 'gong',
        content_type: 'insights',
        external_id: `${call.id}:tracker:${trackerId(call, index)}`,
      });
  }
  for (const [index, [speaker]] of call.turns.entries()) {
    labels.add(`${call.label}.${index}`, {
      source: 'gong',
      content_type: 'transcript',
      external_id: `${call.id}:${index * TURN_MS}:${speakerId(call, speaker)}`,
    });
  }
}

function speakerId(call: Call, speaker: 'host' | number): string {
  return `${call.id.slice(-8)}${speaker === 'host' ? '00' : String(speaker + 1).padStart(2, '0')}`;
}

function trackerId(call: Call, index: number): string {
  return `${call.id.slice(-6)}9${index}`;
}

function extensive(call: Call): Record<string, unknown> {
  const length = call.turns.length * 240;
  return {
    metaData: {
      id: call.id,
      url: `https://app.gong.example/call?id=${call.id}`,
      title: call.title,
      scheduled: call.started,
      started: call.started,
      duration: length,
      primaryUserId: `55${call.host.length}0001`,
      direction: 'Conference',
      system: 'Zoom',
      scope: 'External',
      media: 'Video',
      language: 'eng',
      workspaceId: '623457276584334',
      sdrDisposition: null,
      clientUniqueId: null,
      customData: null,
      purpose: null,
      meetingUrl: null,
      isPrivate: false,
      calendarEventId: null,
    },
    context: [
      {
        system: 'Salesforce',
        objects: [
          {
            objectType: 'Account',
            objectId: '0010Y00000aaaaA',
            timing: 'Now',
            fields: [{ name: 'Name', value: call.account }],
          },
        ],
      },
    ],
    parties: [
      {
        id: `${call.id}0`,
        emailAddress: `${call.host}@brightwater.example`,
        name: personName(call.host),
        title: 'Brightwater',
        userId: `55${call.host.length}0001`,
        speakerId: speakerId(call, 'host'),
        context: [],
        affiliation: 'Internal',
        methods: ['Invitee', 'Attendee'],
      },
      ...call.guests.map(([name, title], index) => ({
        id: `${call.id}${index + 1}`,
        emailAddress: `${name.toLowerCase().replace(' ', '.')}@customer.example`,
        name,
        title,
        userId: null,
        speakerId: speakerId(call, index),
        context: [],
        affiliation: 'External',
        methods: ['Attendee'],
      })),
    ],
    content: {
      structure: [{ name: 'Small talk', duration: 60 }],
      trackers: call.trackers.map(([name, count], index) => ({
        id: trackerId(call, index),
        name,
        count,
        type: 'KEYWORD',
        occurrences: Array.from({ length: count }, (_unused, n) => ({
          startTime: n * 30,
          speakerId: speakerId(call, 0),
        })),
        phrases: [],
      })),
      topics: call.topics.map(([name, duration]) => ({ name, duration })),
      pointsOfInterest: {
        actionItems: call.actions.map((snippet, n) => ({
          snippetStartTime: n * 60 + 40,
          snippetEndTime: n * 60 + 55,
          speakerID: speakerId(call, 'host'),
          snippet,
        })),
      },
      brief: call.brief,
      outline: [
        {
          section: 'Conversation',
          startTime: 0,
          duration: length,
          items: call.keyPoints.map((text, n) => ({ text, startTime: n * 20 })),
        },
      ],
      highlights: [{ title: 'Next steps', items: call.actions.map((text) => ({ text, startTimes: [40] })) }],
      callOutcome: null,
      keyPoints: call.keyPoints.map((text) => ({ text })),
    },
    interaction: {
      speakers: [{ id: speakerId(call, 'host'), userId: null, talkTime: length * 0.4 }],
      interactionStats: [
        { name: 'Talk Ratio', value: 0.4 },
        { name: 'Patience', value: 0.9 },
      ],
      questions: { companyCount: 3, nonCompanyCount: 2 },
    },
    collaboration: { publicComments: [] },
    media: null,
  };
}

/** Times in milliseconds; a turn is said in two sentences where it has two. */
function transcript(call: Call): Record<string, unknown> {
  return {
    callId: call.id,
    transcript: call.turns.map(([speaker, text], index) => {
      const sentences = text.split(/(?<=[.?!]) /);
      const each = Math.floor((TURN_MS - 4000) / sentences.length);
      return {
        speakerId: speakerId(call, speaker),
        topic: call.topics[0]?.[0] ?? null,
        sentences: sentences.map((sentence, n) => ({
          start: index * TURN_MS + n * each,
          end: index * TURN_MS + (n + 1) * each,
          text: sentence,
        })),
      };
    }),
  };
}

function callsCsv(): string {
  return csv(
    ['Call ID', 'Title', 'Started', 'Duration', 'Host', 'Participants', 'Account', 'URL', 'Brief'],
    CALLS.map((call) => [
      call.id,
      call.title,
      call.started,
      call.turns.length * 240,
      personName(call.host),
      call.guests.map(([name]) => name).join('; '),
      call.account,
      `https://app.gong.example/call?id=${call.id}`,
      call.brief,
    ]),
  );
}
