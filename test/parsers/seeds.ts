/** Small valid uploads of every source, to mutate. */
import type { Source } from '../../src/schema/names.ts';
import { pdfOf, zipOf } from './helpers.ts';

const slackUsers = [
  {
    id: 'U1',
    team_id: 'T1',
    name: 'ada',
    is_primary_owner: true,
    profile: { real_name: 'Ada Byron', email: 'ada@example.com' },
  },
  { id: 'U2', team_id: 'T1', name: 'bo', deleted: false, profile: { real_name: 'Bo Lund' } },
];
const slackChannels = [
  {
    id: 'C1',
    name: 'general',
    created: 1700000000,
    creator: 'U1',
    members: ['U1', 'U2'],
    topic: { value: 'All' },
    purpose: { value: 'Talk' },
  },
];
const slackDay = [
  {
    type: 'message',
    user: 'U1',
    ts: '1700000001.000100',
    text: 'Hi <@U2>, see <https://example.com|this> &amp; <#C1|general> :tada:',
    reactions: [{ name: '+1', users: ['U2'], count: 1 }],
  },
  {
    type: 'message',
    user: 'U2',
    ts: '1700000002.000200',
    thread_ts: '1700000001.000100',
    text: 'Done',
    edited: { user: 'U2', ts: '1700000003.000000' },
  },
  {
    type: 'message',
    subtype: 'channel_join',
    user: 'U2',
    ts: '1700000000.000001',
    text: '<@U2> has joined the channel',
  },
  {
    type: 'message',
    user: 'U1',
    ts: '1700000004.000000',
    text: '',
    files: [
      {
        id: 'F1',
        name: 'plan.pdf',
        title: 'Plan',
        mimetype: 'application/pdf',
        url_private: 'https://files.example.com/F1',
        user: 'U1',
        created: 1700000004,
      },
    ],
  },
  {
    type: 'message',
    subtype: 'bot_message',
    ts: '1700000005.000000',
    username: 'ci',
    text: '',
    attachments: [
      { fallback: 'Build 7 passed', title: 'Build', text: 'passed', fields: [{ title: 'Branch', value: 'main' }] },
    ],
    blocks: [
      {
        type: 'rich_text',
        elements: [
          {
            type: 'rich_text_section',
            elements: [
              { type: 'text', text: 'Build ' },
              { type: 'emoji', name: 'tada' },
              { type: 'user', user_id: 'U1' },
            ],
          },
        ],
      },
    ],
  },
];

const gongCall = {
  metaData: {
    id: '7782342274025937895',
    url: 'https://app.gong.io/call?id=1',
    title: 'Discovery',
    scheduled: 1700000000,
    started: '2024-03-01T10:00:00Z',
    duration: 1800,
    direction: 'Conference',
    system: 'Zoom',
    scope: 'External',
    language: 'eng',
    workspaceId: '623457276584334',
  },
  parties: [
    {
      id: 'p1',
      speakerId: 's1',
      name: 'Ada Byron',
      emailAddress: 'ada@example.com',
      affiliation: 'Internal',
      title: 'AE',
    },
    { id: 'p2', speakerId: 's2', name: 'Bo Lund', affiliation: 'External' },
  ],
  content: {
    trackers: [
      { id: 't1', name: 'Pricing', count: 2, type: 'KEYWORD', occurrences: [{ startTime: 32.5, speakerId: 's1' }] },
    ],
    topics: [{ name: 'Budget', duration: 120 }],
    pointsOfInterest: {
      actionItems: [{ snippetStartTime: 10, snippetEndTime: 20, speakerID: 's1', snippet: 'Send the offer' }],
    },
  },
};
const gongTranscript = {
  callId: '7782342274025937895',
  transcript: [
    {
      speakerId: 's1',
      topic: 'Budget',
      sentences: [
        { start: 0, end: 2000, text: 'Hello there.' },
        { start: 2000, end: 4000, text: 'How are you?' },
      ],
    },
    { speakerId: 's2', topic: null, sentences: [{ start: 4100, end: 5000, text: 'Fine.' }] },
  ],
};
const salesforceRows =
  '\ufeff"Id","Name","Industry","Phone","BillingCity","Description","CreatedDate"\r\n"001Hn00001AbCdEIAV","Äcme, Inc.","Energy","+1 555","Bonn","two\r\nlines ""quoted""","2024-01-02T03:04:05.000Z"\r\n"001Hn00001AbCdFIAV","Globex","Tech","","Oslo","","2024-01-03T03:04:05.000Z"\r\n';
const salesforceQuery = {
  totalSize: 2,
  done: true,
  records: [
    {
      attributes: { type: 'Contact', url: '/services/data/v60.0/sobjects/Contact/003Hn00001AbCdEIAV' },
      Id: '003Hn00001AbCdEIAV',
      FirstName: 'Ada',
      LastName: 'Byron',
      Email: 'ada@example.com',
      Account: { attributes: { type: 'Account' }, Name: 'Acme' },
    },
    {
      attributes: { type: 'Opportunity' },
      Id: '006Hn00001AbCdEIAV',
      Name: 'Big deal',
      StageName: 'Closed Won',
      Amount: 1200.5,
      CloseDate: '2024-02-03',
      Contacts: { records: [{ attributes: { type: 'Contact' }, Id: '003Hn00001AbCdGIAV', LastName: 'Lund' }] },
    },
  ],
};
const lookerDashboard = {
  id: '12',
  title: 'Sales',
  description: 'All sales',
  folder: { name: 'Shared' },
  dashboard_elements: [
    { id: '1', title: 'Revenue', type: 'vis', query: { model: 'm', view: 'orders', fields: ['orders.total'] } },
  ],
  dashboard_filters: [{ id: '3', name: 'Date', title: 'Date' }],
};
const lookerRows = [
  { 'orders.status': 'complete', 'orders.count': 12 },
  { 'orders.status': 'pending', 'orders.count': 3 },
];
const hubspotResults = {
  results: [
    {
      id: '51',
      properties: {
        firstname: 'Ada',
        lastname: 'Byron',
        email: 'ada@example.com',
        createdate: '2024-01-02T03:04:05.000Z',
        hs_object_id: '51',
      },
      createdAt: '2024-01-02T03:04:05.000Z',
      updatedAt: '2024-01-03T03:04:05.000Z',
      archived: false,
      associations: { companies: { results: [{ id: '7', type: 'contact_to_company' }] } },
    },
    {
      id: '52',
      properties: { dealname: 'Renewal', amount: '100', dealstage: 'closedwon', pipeline: 'default', closedate: null },
    },
  ],
  paging: { next: { after: '2' } },
};
const hubspotRows =
  'Record ID,First Name,Last Name,Email,Create Date\n51,Ada,Byron,ada@example.com,2024-01-02 03:04\n52,Bö,Lund,bo@example.com,2024-01-02 03:05\n';

const text = (value: unknown) => Buffer.from(JSON.stringify(value));

export async function seedUploads(): Promise<[Source, string, Buffer][]> {
  return [
    [
      'slack',
      'export.zip',
      await zipOf({
        'users.json': text(slackUsers),
        'channels.json': text(slackChannels),
        'general/2023-11-14.json': text(slackDay),
        'integration_logs.json': '[]',
      }),
    ],
    ['slack', '2023-11-14.json', text(slackDay)],
    ['slack', 'page.json', text({ ok: true, messages: slackDay, has_more: false })],
    ['gong', 'calls.json', text({ requestId: 'r', records: { totalRecords: 1 }, calls: [gongCall] })],
    ['gong', 'transcripts.json', text({ callTranscripts: [gongTranscript] })],
    [
      'gong',
      'both.zip',
      await zipOf({
        'calls.json': text({ calls: [gongCall] }),
        'transcripts.json': text({ callTranscripts: [gongTranscript] }),
      }),
    ],
    [
      'gong',
      'calls.csv',
      Buffer.from(
        'Call ID,Title,Started,Duration,Participants\n1,Discovery,2024-03-01T10:00:00Z,1800,"Ada Byron; Bo Lund"\n',
      ),
    ],
    ['salesforce', 'accounts.csv', Buffer.from(salesforceRows)],
    ['salesforce', 'query.json', text(salesforceQuery)],
    ['salesforce', 'bulk.ndjson', Buffer.from(salesforceQuery.records.map((one) => JSON.stringify(one)).join('\n'))],
    ['looker', 'dashboard.json', text(lookerDashboard)],
    ['looker', 'rows.json', text(lookerRows)],
    ['looker', 'rows.csv', Buffer.from('Orders Status,Orders Count\ncomplete,12\npending,3\n')],
    ['looker', 'board.pdf', pdfOf(['Revenue 12', 'Costs 3'])],
    ['hubspot', 'contacts.json', text(hubspotResults)],
    ['hubspot', 'contacts.csv', Buffer.from(hubspotRows)],
  ];
}
