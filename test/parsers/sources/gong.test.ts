/** Gong: calls in both forms, transcripts, findings, CSV of either. */
import { describe, expect, it } from 'vitest';
import { gongParser } from '../../../src/parsers/sources/gong/index.ts';
import type { ParsedRecord } from '../../../src/schema/records.ts';
import { fromJson, fromRow, only, RecordError, started } from './read.ts';

const CALL = {
  metaData: {
    id: '7782342274025937895',
    url: 'https://app.gong.example/call?id=1',
    title: 'Acme: demo',
    started: '2025-02-18T02:30:00-07:00',
    duration: 4260,
    primaryUserId: '55',
    direction: 'Outbound',
    scope: 'External',
    media: 'Video',
    system: 'Zoom',
    language: 'eng',
    workspaceId: '62',
    purpose: 'Demo',
  },
  context: [
    {
      system: 'Salesforce',
      objects: [{ objectType: 'Account', objectId: '001', fields: [{ name: 'Name', value: 'Acme' }] }],
    },
  ],
  parties: [
    {
      id: '1',
      name: 'Ana Ruiz',
      emailAddress: 'ana@us.example',
      title: 'AE',
      userId: '55',
      speakerId: '100',
      affiliation: 'Internal',
    },
    { id: '2', emailAddress: 'ben@acme.example', speakerId: '200', affiliation: 'External' },
    { id: '3' },
  ],
  content: {
    trackers: [
      { id: 't1', name: 'Pricing', count: 2, type: 'KEYWORD', occurrences: [{ startTime: 3 }] },
      { id: 't2', name: 'Legal', count: 0 },
      { name: 'Security', occurrences: [{}] },
    ],
    topics: [
      { name: 'Budget', duration: 90 },
      { name: 'Silence', duration: 0 },
    ],
    pointsOfInterest: {
      actionItems: [{ snippetStartTime: 26, snippetEndTime: 28, speakerID: '100', snippet: 'Send the deck' }],
      questions: [{ text: 'How much?' }],
    },
    brief: 'A demo.',
    keyPoints: [{ text: 'They like it' }],
    highlights: [{ title: 'Next steps', items: [{ text: 'Call again' }] }],
    outline: [{ section: 'Intro', items: [{ text: 'Hello' }] }],
    callOutcome: { id: '1', category: 'Positive', name: 'Meeting set' },
  },
  interaction: {
    speakers: [{ id: '1', talkTime: 1 }],
    interactionStats: [{ name: 'Patience', value: 0.5 }],
    questions: { companyCount: 1 },
  },
  collaboration: {
    publicComments: [
      { id: 'c1', comment: 'Great close', commenterUserId: '55', posted: '2025-02-19T10:00:00Z' },
      { comment: '' },
    ],
  },
  media: { audioUrl: 'https://gone.example' },
};
const ID = CALL.metaData.id;

function byId(records: ParsedRecord[]): Map<string, ParsedRecord> {
  return new Map(records.map((record) => [record.external_id, record]));
}

describe('calls', () => {
  const records = byId(fromJson(started(gongParser), CALL, { key: 'calls' }));

  it('give one call_metadata record', () => {
    const call = records.get(ID);
    expect(call).toMatchObject({
      content_type: 'call_metadata',
      title: 'Acme: demo',
      author: 'Ana Ruiz',
      participants: ['Ana Ruiz', 'ben@acme.example'],
      occurred_at: '2025-02-18T09:30:00.000Z',
      url: 'https://app.gong.example/call?id=1',
      parent_id: null,
    });
    expect(call?.text).toContain('Duration: 1 h 11 min');
    expect(call?.text).toContain('Participants: Ana Ruiz (AE, internal); ben@acme.example (external); unknown');
    expect(call?.text).toContain('Account: Acme');
    expect(call?.metadata.interaction).toMatchObject({ stats: { Patience: 0.5 } });
    expect(call?.metadata.crm).toEqual([{ system: 'Salesforce', type: 'Account', id: '001' }]);
  });

  it.each([
    [`${ID}:brief`, 'A demo.'],
    [`${ID}:key_points`, 'Key points:\n- They like it'],
    [`${ID}:highlights:Next steps`, 'Next steps:\n- Call again'],
    [`${ID}:outline`, 'Intro\n- Hello'],
    [`${ID}:outcome`, 'Call outcome: Meeting set'],
    [`${ID}:tracker:t1`, 'Tracker Pricing: mentioned 2 times'],
    [`${ID}:tracker:Security`, 'Tracker Security: mentioned once'],
    [`${ID}:topic:Budget`, 'Topic: Budget (discussed for 90 s)'],
    [`${ID}:point_of_interest:actionItems:26`, 'Action item: Send the deck'],
    [`${ID}:comment:c1`, 'Great close'],
  ])('give the insight %s', (id, text) => {
    expect(records.get(id)).toMatchObject({
      content_type: 'insights',
      text,
      parent_id: ID,
      title: 'Acme: demo',
      occurred_at: '2025-02-18T09:30:00.000Z',
    });
  });

  it('name who said an action item and who commented', () => {
    expect(records.get(`${ID}:point_of_interest:actionItems:26`)?.author).toBe('Ana Ruiz');
    expect(records.get(`${ID}:comment:c1`)?.author).toBe('Ana Ruiz');
  });

  it('leave out trackers and topics that did not come up', () => {
    expect([...records.keys()].filter((id) => id.includes('t2') || id.includes('Silence'))).toEqual([]);
    expect(records.size).toBe(12);
  });

  it('are read in the basic form and as a single call', () => {
    const basic = { id: '77', title: 'Short', scheduled: '2025-02-18T08:00:00Z', duration: 60 };
    expect(only(fromJson(started(gongParser), basic, { key: 'calls' }))).toMatchObject({
      external_id: '77',
      title: 'Short',
      occurred_at: '2025-02-18T08:00:00.000Z',
    });
    expect(only(fromJson(started(gongParser), { requestId: 'r', call: basic })).external_id).toBe('77');
    expect(fromJson(started(gongParser), { calls: [basic, { ...basic, id: '78' }] })).toHaveLength(2);
  });

  it('without anything but an id still read', () => {
    expect(only(fromJson(started(gongParser), { metaData: { id: 5 }, parties: null, content: null })).text).toBe(
      'Call 5',
    );
  });

  it.each([[{}], [{ metaData: {} }], ['x'], [{ title: 'no id' }]])('%j is reported', (value) => {
    expect(() => fromJson(started(gongParser), value)).toThrow(RecordError);
  });
});

const TRANSCRIPT = {
  callId: ID,
  transcript: [
    {
      speakerId: '100',
      topic: 'Small Talk',
      sentences: [
        { start: 460230, end: 462343, text: 'No.' },
        { start: 462343, end: 463000, text: 'I mean yes.' },
      ],
    },
    { speakerId: '999', topic: null, sentences: [{ start: 470000, end: 471000, text: 'Good.' }] },
    { speakerId: '100', sentences: [] },
    { speakerId: '100', sentences: [{ start: 460230, end: 1, text: 'Same start.' }] },
    null,
  ],
};

describe('transcripts', () => {
  const names = ['export/calls.json', 'export/transcripts.json'];

  it('give a record a turn, with names of the parties in the same upload', () => {
    const upload = started(gongParser, names);
    const calls = { name: 'export/calls.json', format: 'json' as const, size: 10 };
    expect(upload.isLookup(calls)).toBe(true);
    expect(upload.isLookup({ ...calls, name: 'export/transcripts.json' })).toBe(false);
    upload.lookup(calls, CALL);
    const [first, second, third, ...none] = fromJson(upload, TRANSCRIPT, { key: 'callTranscripts' });
    expect(first).toEqual({
      external_id: `${ID}:460230:100`,
      content_type: 'transcript',
      title: 'Acme: demo',
      text: 'No. I mean yes.',
      author: 'Ana Ruiz',
      participants: ['Ana Ruiz'],
      occurred_at: '2025-02-18T09:37:40.230Z',
      url: 'https://app.gong.example/call?id=1',
      parent_id: ID,
      metadata: { call_id: ID, speaker_id: '100', topic: 'Small Talk', start_ms: 460230, end_ms: 463000 },
    });
    expect(second).toMatchObject({ author: null, participants: [], metadata: { speaker_id: '999' } });
    expect(third?.external_id).toBe(`${ID}:460230:100:3`);
    expect(none).toEqual([]);
  });

  it('keep their ids where the calls are not there', () => {
    const [first] = fromJson(started(gongParser), TRANSCRIPT, { key: 'callTranscripts' });
    expect(first).toMatchObject({
      external_id: `${ID}:460230:100`,
      title: null,
      author: null,
      occurred_at: null,
      parent_id: ID,
    });
  });

  it('beside their call in one object use its parties', () => {
    const records = byId(fromJson(started(gongParser), { ...CALL, transcript: TRANSCRIPT.transcript }));
    expect(records.get(`${ID}:460230:100`)?.author).toBe('Ana Ruiz');
  });

  it('without a call are reported', () => {
    expect(() => fromJson(started(gongParser), { transcript: [] })).toThrow(RecordError);
  });
});

describe('CSV', () => {
  it('reads a row a call in any column order, with its brief as an insight', () => {
    const row = {
      Brief: 'They like it',
      Host: 'Ana Ruiz',
      Title: 'Acme: demo',
      'Call ID': '9',
      Started: '2025-02-18 09:30',
      Participants: 'Ben; Cy',
      URL: 'https://a.example',
    };
    const [call, brief] = fromRow(started(gongParser), row);
    expect(call).toMatchObject({
      external_id: '9',
      content_type: 'call_metadata',
      title: 'Acme: demo',
      author: 'Ana Ruiz',
      participants: ['Ana Ruiz', 'Ben', 'Cy'],
      occurred_at: '2025-02-18T09:30:00.000Z',
      url: 'https://a.example',
    });
    expect(brief).toMatchObject({
      external_id: '9:brief',
      content_type: 'insights',
      text: 'They like it',
      parent_id: '9',
    });
    const reversed = Object.fromEntries(Object.entries(row).reverse());
    expect(fromRow(started(gongParser), reversed).map((one) => one.external_id)).toEqual(['9', '9:brief']);
  });

  it('reads a row a turn, times as clock or milliseconds', () => {
    const row = { 'Call ID': '9', Speaker: 'Ben', Start: '01:05', Text: 'Hello there', Topic: 'Intro' };
    expect(only(fromRow(started(gongParser), row))).toMatchObject({
      external_id: '9:65000:Ben',
      content_type: 'transcript',
      text: 'Hello there',
      author: 'Ben',
      parent_id: '9',
      metadata: { start_ms: 65000 },
    });
    expect(only(fromRow(started(gongParser), { ...row, Start: '65000' })).external_id).toBe('9:65000:Ben');
    const untimed = only(fromRow(started(gongParser), { ...row, Start: '' }));
    expect(untimed.external_id).toBe(only(fromRow(started(gongParser), { ...row, Start: '' })).external_id);
  });

  it('skips empty rows and reports rows of something else', () => {
    expect(fromRow(started(gongParser), { a: '', b: ' ' })).toEqual([]);
    expect(() => fromRow(started(gongParser), { colour: 'red' })).toThrow(RecordError);
  });
});
