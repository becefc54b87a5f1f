/** The later half of the samples' threads; `slack.ts` joins both. */
import type { Thread } from './slack.ts';

export const LATER_THREADS: readonly Thread[] = [
  {
    label: 'website',
    channel: 'marketing',
    date: '2026-02-17',
    time: '11:45',
    says: [
      [
        'sofia',
        'Draft of the new homepage is up. Headline: Know your water before it changes. Please comment until Friday.',
      ],
      ['mira', 'Strong headline. The pricing page should say what calibration costs, prospects ask every time.'],
      ['chen', 'On a phone the hero video covers the menu, otherwise it looks good.'],
    ],
  },
  {
    label: 'crash',
    channel: 'support',
    date: '2026-01-30',
    time: '16:20',
    says: [
      [
        'leila',
        'Field technicians report that the iPhone app closes itself as soon as they scan the QR code of a probe.',
      ],
      ['chen', 'Reproduced on iOS 19: we ask for the camera twice. It crashes on the second permission prompt.'],
      ['chen', 'Version 3.8.2 with the fix is approved in the App Store, please tell them to update.'],
    ],
  },
  {
    label: 'invoice',
    channel: 'sales',
    date: '2026-02-19',
    time: '12:00',
    says: [
      ['david', 'Cedar Point Water refuses to pay invoice 2026-0147: they were billed for 80 licences and use 65.'],
      ['jonah', 'That is our mistake, the downgrade was agreed in December and never reached the billing system.'],
      ['david', 'Credit note over 4,350 euros sent to Cedar Point, corrected invoice goes out tomorrow.'],
    ],
  },
  {
    label: 'connectors',
    channel: 'firmware',
    date: '2026-03-11',
    time: '10:40',
    says: [
      [
        'oskar',
        'The supplier of the waterproof probe connectors cannot deliver before June, a flood closed their plant.',
      ],
      ['mira', 'How many probes can we build with what is in stock?'],
      ['oskar', 'About 140. Enough for the trial customers, not for Northwind Harbor and Lindmouth together.'],
      ['david', 'A second source in Gdansk quotes 11% more and can ship in three weeks. I would take it.'],
    ],
  },
  {
    label: 'gdpr',
    channel: 'platform',
    date: '2026-03-05',
    time: '13:30',
    says: [
      ['hugo', 'A former user of Vesterhavn asks us to erase all personal data about him under GDPR article 17.'],
      [
        'ravi',
        'His name is in the audit trail and in two exported reports, the readings themselves hold nothing personal.',
      ],
      ['hugo', 'Erased within the 30 days, confirmation sent. The audit trail keeps a pseudonym.'],
    ],
  },
  {
    label: 'hiring',
    channel: 'general',
    date: '2026-02-26',
    time: '09:50',
    says: [
      ['nora', 'The data scientist role is open. We look for someone who knows time series and anomaly detection.'],
      ['ravi', 'I can do the technical interviews, two per week at most.'],
      ['nora', 'Amara Diallo accepted our offer and starts in May. Welcome her when you see her!'],
    ],
  },
  {
    label: 'lunch',
    channel: 'random',
    date: '2026-01-22',
    time: '10:30',
    says: [
      ['sofia', 'Team lunch on Friday, any allergies or diets I should know about?'],
      ['chen', 'No peanuts for me please.'],
      ['ravi', 'Vegan here. The Lebanese place at the canal has plenty without meat.'],
      ['sofia', 'Table for twelve at the Lebanese place, Friday half past twelve.'],
    ],
  },
  {
    label: 'forecast',
    channel: 'sales',
    date: '2026-03-23',
    time: '08:45',
    says: [
      [
        'priya',
        'First quarter closes at 1.24 million in bookings against a target of 1.1 million, best quarter so far.',
      ],
      ['mira', 'Wonderful. What is the risk for the second quarter?'],
      [
        'priya',
        'Renewal of Alder Bay and the connector shortage. Without probes we cannot recognise revenue for Northwind Harbor.',
      ],
    ],
  },
  {
    label: 'alerts',
    channel: 'incidents',
    date: '2026-03-18',
    time: '22:10',
    says: [
      ['tomas', 'Text message alerts are delayed by up to 40 minutes tonight, our SMS provider throttles us.'],
      [
        'tomas',
        'Switched to the second provider, the queue of 3,200 messages is empty. E-mail and push were never affected.',
      ],
      ['leila', 'Two utilities noticed. I will send them a short report tomorrow.'],
    ],
  },
  {
    label: 'algae',
    channel: 'random',
    date: '2026-03-27',
    time: '14:15',
    says: [
      [
        'ravi',
        'Look at this: our chlorophyll readings in the Lindmouth basin predicted the algae bloom four days before it was visible.',
      ],
      ['mira', 'That is exactly the story we should tell. Can we publish it with their consent?'],
      ['sofia', 'I ask Ewan at Lindmouth for a quote, this becomes our spring case study.'],
    ],
  },
];
