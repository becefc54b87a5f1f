/** Salesforce: ids, kinds, CSV of Data Loader and reports, query results. */
import { describe, expect, it } from 'vitest';
import { longId } from '../../../src/parsers/sources/salesforce/ids.ts';
import { salesforceParser } from '../../../src/parsers/sources/salesforce/index.ts';
import { fromJson, fromRow, only, RecordError, started } from './read.ts';

const ACCOUNT = '001D000000IRFmaIAH';
const csv = () => started(salesforceParser, ['upload.csv']);

describe('ids', () => {
  it.each([
    ['001D000000IRFma', '001D000000IRFmaIAH'],
    ['001D000000IomazIAB', '001D000000IomazIAB'],
    ['001D000000Iomaz', '001D000000IomazIAB'],
    ['001d000000irfma', '001d000000irfmaAAA'],
    ['not an id', 'not an id'],
  ])('%s becomes %s', (short, long) => {
    expect(longId(short)).toBe(long);
  });
});

describe('query results', () => {
  const account = {
    attributes: { type: 'Account', url: `/services/data/v66.0/sobjects/Account/${ACCOUNT}` },
    Id: ACCOUNT,
    Name: 'Acme',
    Industry: 'Energy',
    Description: 'Large\nand old',
    NumberOfEmployees: 1200,
    IsDeleted: false,
    ParentId: null,
    CreatedDate: '2025-01-10T09:00:00.000+0000',
    SystemModstamp: '2025-01-11T09:00:00.000+0000',
    Custom_Score__c: 7,
    Owner: { attributes: { type: 'User', url: '/x' }, Name: 'Ana Ruiz' },
    Contacts: {
      totalSize: 1,
      done: true,
      records: [
        { attributes: { type: 'Contact' }, Id: '003D000000QOhpz', FirstName: 'Ben', LastName: 'Okri' },
        { attributes: { type: 'Case' }, Id: '500' },
      ],
    },
  };

  it('give the record and those of its subqueries', () => {
    const [first, second, ...none] = fromJson(started(salesforceParser), account, { key: 'records' });
    expect(first).toMatchObject({
      external_id: ACCOUNT,
      content_type: 'account',
      title: 'Acme',
      author: 'Ana Ruiz',
      occurred_at: '2025-01-10T09:00:00.000Z',
      parent_id: null,
    });
    expect(first?.text).toBe(
      'Acme\nIndustry: Energy\nDescription: Large\nand old\nNumber Of Employees: 1200\nCustom Score: 7\nOwner Name: Ana Ruiz',
    );
    expect(second).toMatchObject({
      external_id: longId('003D000000QOhpz'),
      content_type: 'contact',
      title: 'Ben Okri',
      parent_id: ACCOUNT,
    });
    expect(none).toEqual([]);
  });

  it('link opportunities to their account by its 18 characters', () => {
    const deal = only(
      fromJson(started(salesforceParser), {
        attributes: { type: 'Opportunity' },
        Id: '006D000000Kabcd',
        Name: 'Big',
        StageName: 'Prospecting',
        CloseDate: '2025-06-30',
        CreatedDate: '2025-01-01T00:00:00.000Z',
        AccountId: '001D000000IRFma',
        Account: { Name: 'Acme' },
      }),
    );
    expect(deal).toMatchObject({
      content_type: 'opportunity',
      parent_id: ACCOUNT,
      occurred_at: '2025-06-30T00:00:00.000Z',
    });
    expect(deal.text).toContain('Account Name: Acme');
  });

  it('of bulk jobs, without attributes, are known by their ids', () => {
    expect(
      only(fromJson(started(salesforceParser), { Id: '00QD000000ABCde', LastName: 'Cy', Company: 'C & Co' })),
    ).toMatchObject({ content_type: 'lead', title: 'Cy' });
  });

  it('saved whole under records are read too', () => {
    expect(fromJson(started(salesforceParser), { totalSize: 1, done: true, records: [account] })).toHaveLength(2);
  });

  it('name the record in the org when its address is given', () => {
    const upload = started(salesforceParser, ['a.json'], { instance_url: 'https://acme.my.salesforce.example/' });
    expect(fromJson(upload, account)[0]?.url).toBe(`https://acme.my.salesforce.example/${ACCOUNT}`);
  });

  it.each([
    [{ attributes: { type: 'Case' }, Id: '500D000000ABCde' }],
    [{ Id: '00TD000000ABCde' }],
    [5],
    [{ colour: 'red' }],
  ])('%j is reported', (value) => {
    expect(() => fromJson(started(salesforceParser), value)).toThrow(RecordError);
  });
});

describe('CSV', () => {
  const contact = {
    LASTNAME: 'Okri',
    FIRSTNAME: 'Ben',
    ID: '003D000000QOhpz',
    ACCOUNTID: '001D000000IRFma',
    EMAIL: 'ben@acme.example',
    TITLE: 'CTO',
  };

  it('of Data Loader reads in any column order', () => {
    const record = only(fromRow(csv(), contact));
    expect(record).toMatchObject({
      external_id: longId('003D000000QOhpz'),
      content_type: 'contact',
      title: 'Ben Okri',
      participants: ['Ben Okri'],
      parent_id: ACCOUNT,
    });
    expect(record.text).toBe('Ben Okri\nEMAIL: ben@acme.example\nTITLE: CTO');
    const reversed = only(fromRow(csv(), Object.fromEntries(Object.entries(contact).reverse())));
    expect(reversed.external_id).toBe(record.external_id);
    expect(reversed.content_type).toBe('contact');
  });

  it('meets the same record of a query in one id, 15 or 18 characters', () => {
    const short = only(fromRow(csv(), contact)).external_id;
    expect(only(fromRow(csv(), { ...contact, ID: longId(contact.ID) })).external_id).toBe(short);
    expect(
      only(fromJson(started(salesforceParser), { attributes: { type: 'Contact' }, Id: contact.ID, LastName: 'Okri' }))
        .external_id,
    ).toBe(short);
  });

  it.each([
    [
      'opportunity',
      { 'Opportunity Name': 'Big', Stage: 'Won', Amount: '5', 'Close Date': '6/30/2025', 'Account Name': 'Acme' },
    ],
    [
      'account',
      { 'Account Name': 'Acme', 'Billing City': 'Kiel', Industry: 'Energy', Employees: '5', 'Account Owner': 'Ana' },
    ],
    [
      'contact',
      { 'First Name': 'Ben', 'Last Name': 'Okri', 'Account Name': 'Acme', Email: 'b@a.example', Title: 'CTO' },
    ],
    [
      'lead',
      { 'First Name': 'Cy', 'Last Name': 'Doe', 'Company / Account': 'C', 'Lead Source': 'Web', 'Lead Status': 'Open' },
    ],
  ] as const)('of a report about each %s is known by its columns', (kind, row) => {
    expect(only(fromRow(csv(), row)).content_type).toBe(kind);
  });

  it('without ids gives the same id for the same thing', () => {
    const row = { 'Opportunity Name': 'Big', Stage: 'Open', 'Close Date': '6/30/2025', 'Account Name': 'Acme' };
    const first = only(fromRow(csv(), row));
    expect(first.occurred_at).toBe('2025-06-30T00:00:00.000Z');
    expect(first.external_id).toMatch(/^opportunity:[0-9a-f]{32}$/);
    expect(only(fromRow(csv(), { ...row, Stage: 'Won' })).external_id).toBe(first.external_id);
    expect(only(fromRow(csv(), { ...row, 'Account Name': 'Other' })).external_id).not.toBe(first.external_id);
  });

  it('is known by its file in an archive', () => {
    const upload = started(salesforceParser, ['export/Lead.csv', 'export/Case.csv']);
    expect(only(fromRow(upload, { Name: 'Cy', Phone: '1' }, 'export/Lead.csv')).content_type).toBe('lead');
    expect(upload.skip({ name: 'export/Case.csv', format: 'csv', size: 1 })).toBe(true);
    expect(upload.skip({ name: 'export/Lead.csv', format: 'csv', size: 1 })).toBe(false);
  });

  it.each([
    ['Open and closed deals'],
    ['Copyright (c) 2000-2026 salesforce.com, inc. All rights reserved.'],
    ['Confidential Information - Do Not Distribute'],
    ['Generated By:  Ana Ruiz  3/31/2026 9:12 AM'],
    ['Grand Totals (12 records)'],
  ])('leaves out the line "%s" of a report\'s end', (line) => {
    expect(
      fromRow(csv(), { 'Opportunity Name': line, Stage: '', Amount: '', 'Close Date': '', 'Account Name': '' }),
    ).toEqual([]);
  });

  it('skips empty rows and reports rows of something else', () => {
    expect(fromRow(csv(), { Id: '', Name: '' })).toEqual([]);
    expect(() => fromRow(csv(), { colour: 'red', size: 'XL' })).toThrow(RecordError);
    expect(() => fromRow(csv(), { Id: '500D000000ABCde', Subject: 'Help' })).toThrow(RecordError);
  });
});
