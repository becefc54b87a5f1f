/** HubSpot: the objects API, engagements of v1, the portal's CSV exports. */
import { describe, expect, it } from 'vitest';
import { hubspotParser } from '../../../src/parsers/sources/hubspot/index.ts';
import { fromJson, fromRow, only, RecordError, started } from './read.ts';

function object(properties: Record<string, unknown>, more: Record<string, unknown> = {}) {
  const value = {
    id: '101',
    properties,
    createdAt: '2025-03-04T10:00:00.000Z',
    updatedAt: '2025-03-05T10:00:00.000Z',
    archived: false,
    ...more,
  };
  return only(fromJson(started(hubspotParser), value, { key: 'results' }));
}

describe('the objects API', () => {
  it('reads contacts with their company', () => {
    const contact = object(
      {
        firstname: 'Ana',
        lastname: 'Ruiz',
        email: 'ana@acme.example',
        jobtitle: 'CTO',
        phone: null,
        hs_object_id: '101',
        createdate: '2025-03-04T10:00:00Z',
      },
      {
        associations: {
          companies: {
            results: [
              { id: '7', type: 'contact_to_company' },
              { id: '7', type: 'contact_to_company_unlabeled' },
            ],
          },
        },
      },
    );
    expect(contact).toMatchObject({
      external_id: '101',
      content_type: 'contact',
      title: 'Ana Ruiz',
      participants: ['Ana Ruiz'],
      occurred_at: '2025-03-04T10:00:00.000Z',
      parent_id: '7',
    });
    expect(contact.text).toBe('Ana Ruiz\nEmail: ana@acme.example\nJobtitle: CTO');
    expect(contact.metadata).toMatchObject({ associations: { company: ['7'] }, parent_type: 'company' });
  });

  it('reads companies and deals', () => {
    expect(object({ name: 'Acme', domain: 'acme.example', industry: 'ENERGY' })).toMatchObject({
      content_type: 'company',
      title: 'Acme',
      parent_id: null,
    });
    const deal = object(
      {
        dealname: 'Big',
        dealstage: 'closedwon',
        amount: '5000',
        closedate: '2025-06-30T00:00:00Z',
        pipeline: 'default',
      },
      { associations: { contacts: { results: [{ id: '3', type: 'deal_to_contact' }] } } },
    );
    expect(deal).toMatchObject({
      content_type: 'deal',
      title: 'Big',
      occurred_at: '2025-06-30T00:00:00.000Z',
      parent_id: '3',
    });
    expect(deal.text).toContain('Amount: 5000');
  });

  it.each([
    ['note', { hs_note_body: '<p>Met <b>Ana</b> &amp; Ben</p><p>Next week</p>' }, null, 'Met Ana & Ben\nNext week'],
    [
      'call',
      { hs_call_title: 'Intro', hs_call_body: 'Went well', hs_call_direction: 'OUTBOUND' },
      'Intro',
      'Intro\nWent well\nCall direction: OUTBOUND',
    ],
    [
      'email',
      { hs_email_subject: 'Offer', hs_email_text: 'Dear Ana', hs_email_html: '<p>Dear Ana</p>' },
      'Offer',
      'Offer\nDear Ana',
    ],
    [
      'meeting',
      { hs_meeting_title: 'Demo', hs_meeting_body: 'At nine', hs_meeting_outcome: 'COMPLETED' },
      'Demo',
      'Demo\nAt nine\nMeeting outcome: COMPLETED',
    ],
    [
      'task',
      { hs_task_subject: 'Call back', hs_task_body: 'Soon', hs_task_status: 'NOT_STARTED' },
      'Call back',
      'Call back\nSoon\nTask status: NOT_STARTED',
    ],
  ])('reads a %s as an activity at its own time', (type, properties, title, text) => {
    const activity = object(
      { ...properties, hs_timestamp: '2025-02-01T08:00:00Z' },
      { associations: { contacts: { results: [{ id: '3' }] }, deals: { results: [{ id: '9' }] } } },
    );
    expect(activity).toMatchObject({
      content_type: 'activity',
      title,
      text,
      occurred_at: '2025-02-01T08:00:00.000Z',
      parent_id: '9',
    });
    expect(activity.metadata).toMatchObject({ object: type, associations: { contact: ['3'], deal: ['9'] } });
  });

  it('goes by the named type first, and by the file when nothing else tells', () => {
    expect(object({ name: 'x', email: 'a@b.example' }, { objectType: 'COMPANY' }).content_type).toBe('company');
    expect(object({ name: 'x' }, { objectTypeId: '0-3' }).content_type).toBe('deal');
    const bare = { id: '1', properties: { custom: 'x' } };
    expect(only(fromJson(started(hubspotParser), bare, { entry: 'export/deals.json' })).content_type).toBe('deal');
    expect(() => fromJson(started(hubspotParser), bare, { entry: 'export/tickets.json' })).toThrow(RecordError);
  });

  it('reads the valued properties of v1 and engagements of v1', () => {
    expect(object({ firstname: { value: 'Ana' }, email: { value: 'a@b.example' } }).title).toBe('Ana');
    const engagement = {
      engagement: { id: 29090716, type: 'NOTE', timestamp: 1741082400000, createdAt: 1741082400000 },
      associations: { contactIds: [247], companyIds: [], dealIds: [8] },
      metadata: { body: 'note body' },
    };
    expect(only(fromJson(started(hubspotParser), engagement))).toMatchObject({
      external_id: '29090716',
      content_type: 'activity',
      text: 'note body',
      occurred_at: '2025-03-04T10:00:00.000Z',
      parent_id: '8',
    });
  });

  it('reads pages saved whole and marks archived records', () => {
    const page = {
      results: [
        { id: '1', properties: { dealname: 'a' } },
        { id: '2', properties: { dealname: 'b' }, archived: true },
      ],
    };
    const [first, second] = fromJson(started(hubspotParser), page);
    expect(first?.metadata.archived).toBeUndefined();
    expect(second?.metadata.archived).toBe(true);
  });

  it('names the record in the portal when that is known', () => {
    const upload = started(hubspotParser, ['a.json'], { portal_id: 4711 });
    expect(only(fromJson(upload, { id: '5', properties: { dealname: 'a' } })).url).toBe(
      'https://app.hubspot.com/contacts/4711/record/0-3/5',
    );
    expect(upload.account()).toBe('4711');
  });

  it('reads what has hardly anything', () => {
    expect(object({ dealname: null, dealstage: null, amount: null })).toMatchObject({
      content_type: 'deal',
      title: null,
      text: 'deal 101',
    });
    expect(fromJson(started(hubspotParser), null)).toEqual([]);
  });

  it.each([[{}], [{ id: '1' }], [{ id: '1', properties: { colour: 'red' } }], ['x']])('%j is reported', (value) => {
    expect(() => fromJson(started(hubspotParser), value)).toThrow(RecordError);
  });
});

describe('CSV of the portal', () => {
  const csv = () => started(hubspotParser, ['upload.csv']);
  const row = {
    'Record ID': '101',
    'First Name': 'Ana',
    'Last Name': 'Ruiz',
    Email: 'ana@acme.example',
    'Contact owner': 'Ben Okri',
    'Create Date': '2025-03-04 10:00',
    'Associated Company': 'Acme',
    'Associated Company IDs': '7;8',
  };

  it('reads contacts in any column order', () => {
    const contact = only(fromRow(csv(), row));
    expect(contact).toMatchObject({
      external_id: '101',
      content_type: 'contact',
      title: 'Ana Ruiz',
      author: 'Ben Okri',
      participants: ['Ana Ruiz', 'Ben Okri'],
      occurred_at: '2025-03-04T10:00:00.000Z',
      parent_id: '7',
    });
    expect(contact.text).toBe('Ana Ruiz\nEmail: ana@acme.example\nContact owner: Ben Okri\nAssociated Company: Acme');
    const reversed = only(fromRow(csv(), Object.fromEntries(Object.entries(row).reverse())));
    expect(reversed).toMatchObject({ external_id: '101', content_type: 'contact' });
  });

  it('meets the same contact of the API in one id', () => {
    expect(object({ firstname: 'Ana', email: 'x' }).external_id).toBe(only(fromRow(csv(), row)).external_id);
  });

  it.each([
    ['contact', { 'Contact ID': '5', 'First Name': 'Ana' }],
    ['company', { 'Company ID': '5', Name: 'Acme' }],
    ['company', { 'Record ID': '5', 'Company name': 'Acme', 'Company Domain Name': 'acme.example' }],
    ['deal', { 'Deal ID': '5', 'Deal Name': 'Big', Amount: '5' }],
    ['deal', { 'Record ID': '5', 'Deal Name': 'Big', 'Deal Stage': 'Won' }],
    ['activity', { 'Record ID': '5', 'Note body': 'Hello', 'Activity date': '2025-03-04 10:00' }],
    ['activity', { 'Record ID': '5', 'Call Title': 'Intro', 'Call notes': 'Well' }],
    ['activity', { 'Record ID': '5', 'Task Title': 'Call back', 'Task Status': 'Open' }],
  ])('knows a %s by its columns, legacy titles too', (kind, cells) => {
    expect(only(fromRow(csv(), cells))).toMatchObject({ external_id: '5', content_type: kind });
  });

  it('reads the kind of each row of an export of all activities', () => {
    const activity = only(
      fromRow(csv(), {
        'Activity ID': '5',
        'Activity type': 'Meeting',
        'Activity date': '2025-03-04 10:00',
        Body: 'We met',
      }),
    );
    expect(activity).toMatchObject({
      external_id: '5',
      content_type: 'activity',
      occurred_at: '2025-03-04T10:00:00.000Z',
      metadata: { object: 'meeting' },
    });
  });

  it('without record ids gives the same id for the same thing', () => {
    const first = only(fromRow(csv(), { 'First Name': 'Ana', Email: 'Ana@Acme.example' }));
    expect(first.external_id).toMatch(/^contact:[0-9a-f]{32}$/);
    expect(only(fromRow(csv(), { Email: 'ana@acme.example', 'First Name': 'Anna' })).external_id).toBe(
      first.external_id,
    );
  });

  it('skips empty rows and reports rows of something else', () => {
    expect(fromRow(csv(), { 'First Name': '', Email: ' ' })).toEqual([]);
    expect(() => fromRow(csv(), { colour: 'red' })).toThrow(RecordError);
  });
});
