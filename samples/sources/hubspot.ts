/**
 * HubSpot samples: the portal's CSV exports and the v3 objects API.
 * https://knowledge.hubspot.com/import-and-export/export-records and
 * https://developers.hubspot.com/docs/guides/crm/using-object-apis
 */
import { personName } from '../company.ts';
import { csv } from '../csv.ts';
import type { Labels, SampleFile } from '../labels.ts';
import { ACTIVITIES, type Activity, CUSTOMERS } from '../stories/crm.ts';

const COMPANY = 9_100_000_001;
const CONTACT = 51_001;
const DEAL = 17_200_001;
const ACTIVITY = 33_300_001;

export function hubspotFiles(labels: Labels): SampleFile[] {
  for (const [index, one] of CUSTOMERS.entries()) {
    labels.add(`hs.company.${one.label}`, {
      source: 'hubspot',
      content_type: 'company',
      external_id: String(COMPANY + index),
    });
    labels.add(`hs.contact.${one.label}`, {
      source: 'hubspot',
      content_type: 'contact',
      external_id: String(CONTACT + index),
    });
    labels.add(`hs.deal.${one.label}`, { source: 'hubspot', content_type: 'deal', external_id: String(DEAL + index) });
  }
  for (const [index, one] of ACTIVITIES.entries()) {
    labels.add(one.label, { source: 'hubspot', content_type: 'activity', external_id: String(ACTIVITY + index) });
  }
  return [
    { path: 'hubspot/hubspot-crm-exports-all-contacts.csv', content: contacts() },
    { path: 'hubspot/hubspot-crm-exports-all-companies.csv', content: companies() },
    { path: 'hubspot/hubspot-crm-exports-all-deals.csv', content: deals() },
    ...(['notes', 'calls', 'emails', 'meetings', 'tasks'] as const).map((type) => ({
      path: `hubspot/${type}.json`,
      content: activities(type),
    })),
    { path: 'hubspot/contacts.json', content: contactsPage() },
  ];
}

function contacts(): string {
  return csv(
    [
      'Record ID',
      'First Name',
      'Last Name',
      'Email',
      'Job Title',
      'Lifecycle Stage',
      'Contact owner',
      'Create Date',
      'Associated Company',
      'Associated Company IDs',
    ],
    CUSTOMERS.map((one, index) => [
      CONTACT + index,
      one.contact[0],
      one.contact[1],
      mail(one.contact),
      one.contact[2],
      'Opportunity',
      personName('jonah'),
      `2025-0${index + 1}-12 10:30`,
      one.name,
      COMPANY + index,
    ]),
  );
}

function companies(): string {
  return csv(
    [
      'Record ID',
      'Company name',
      'Company Domain Name',
      'Industry',
      'City',
      'Country/Region',
      'Number of Employees',
      'Description',
      'Create Date',
    ],
    CUSTOMERS.map((one, index) => [
      COMPANY + index,
      one.name,
      `${one.label}.example`,
      one.industry,
      one.city,
      one.country,
      one.employees,
      one.description,
      `2025-0${index + 1}-10 09:30`,
    ]),
  );
}

function deals(): string {
  return csv(
    [
      'Record ID',
      'Deal Name',
      'Deal Stage',
      'Pipeline',
      'Amount',
      'Close Date',
      'Deal owner',
      'Next step',
      'Associated Company IDs',
      'Associated Contact IDs',
    ],
    CUSTOMERS.map((one, index) => [
      DEAL + index,
      one.deal[0],
      one.deal[1],
      'Sales Pipeline',
      one.deal[2],
      `${one.deal[3]} 18:00`,
      personName('jonah'),
      one.deal[4],
      COMPANY + index,
      CONTACT + index,
    ]),
  );
}

function mail(contact: readonly [string, string, string]): string {
  return `${contact[0]}.${contact[1]}@customer.example`.toLowerCase();
}

function contactsPage(): string {
  const results = CUSTOMERS.slice(0, 2).map((one, index) => ({
    id: String(CONTACT + index),
    properties: {
      createdate: `2025-0${index + 1}-12T10:30:00.000Z`,
      email: mail(one.contact),
      firstname: one.contact[0],
      hs_object_id: String(CONTACT + index),
      jobtitle: one.contact[2],
      lastmodifieddate: '2026-03-01T08:00:00.000Z',
      lastname: one.contact[1],
      phone: null,
    },
    createdAt: `2025-0${index + 1}-12T10:30:00.000Z`,
    updatedAt: '2026-03-01T08:00:00.000Z',
    archived: false,
    associations: { companies: { results: [{ id: String(COMPANY + index), type: 'contact_to_company' }] } },
  }));
  return JSON.stringify({ results, paging: { next: { after: '51003', link: '?after=51003' } } }, null, 1);
}

/** Properties of each kind: https://developers.hubspot.com/docs/reference/api/crm/engagements/notes and siblings. */
const PROPERTIES: Readonly<Record<Activity['type'], (one: Activity) => Record<string, string>>> = {
  notes: (one) => ({ hs_note_body: one.body }),
  calls: (one) => ({
    hs_call_title: one.subject,
    hs_call_body: one.body,
    hs_call_direction: 'OUTBOUND',
    hs_call_status: 'COMPLETED',
    hs_call_duration: '420000',
  }),
  emails: (one) => ({
    hs_email_subject: one.subject,
    hs_email_text: one.body,
    hs_email_direction: 'EMAIL',
    hs_email_status: 'SENT',
    hs_email_from_email: 'jonah@brightwater.example',
  }),
  meetings: (one) => ({
    hs_meeting_title: one.subject,
    hs_meeting_body: one.body,
    hs_meeting_outcome: 'COMPLETED',
    hs_meeting_start_time: one.at,
  }),
  tasks: (one) => ({
    hs_task_subject: one.subject,
    hs_task_body: one.body,
    hs_task_status: 'NOT_STARTED',
    hs_task_priority: 'MEDIUM',
  }),
};

function activities(type: Activity['type']): string {
  const results = ACTIVITIES.flatMap((one, index) => {
    if (one.type !== type) return [];
    const customer = CUSTOMERS.findIndex((each) => each.label === one.customer);
    return [
      {
        id: String(ACTIVITY + index),
        properties: {
          hs_createdate: one.at,
          hs_lastmodifieddate: one.at,
          hs_object_id: String(ACTIVITY + index),
          hs_timestamp: one.at,
          ...PROPERTIES[type](one),
        },
        createdAt: one.at,
        updatedAt: one.at,
        archived: false,
        associations: {
          contacts: { results: [{ id: String(CONTACT + customer), type: `${type.slice(0, -1)}_to_contact` }] },
          deals: { results: [{ id: String(DEAL + customer), type: `${type.slice(0, -1)}_to_deal` }] },
        },
      },
    ];
  });
  return JSON.stringify({ results }, null, 1);
}
