/** What people of the samples really talk about: threads that the labelled questions ask for, `label.n` by position. */
import { LATER_THREADS } from './slack-later.ts';

export interface Thread {
  label: string;
  channel: string;
  date: string;
  /** Hour and minute of the first; each reply comes eight minutes later. */
  time: string;
  says: readonly (readonly [handle: string, text: string])[];
}

const EARLIER_THREADS: readonly Thread[] = [
  {
    label: 'outage',
    channel: 'incidents',
    date: '2026-02-11',
    time: '06:40',
    says: [
      ['tomas', 'Ingest gateway is down since 06:20, no sensor readings are arriving from any customer. I am on it.'],
      [
        'hugo',
        'The TLS certificate of the gateway expired this morning. Handshakes fail with certificate has expired.',
      ],
      ['tomas', 'Renewed the certificate by hand and restarted the gateway, readings are coming in again since 07:05.'],
      [
        'leila',
        'I told <@U0BRIGHT03> and the affected customers that about 45 minutes of readings were delayed but not lost, the sensors buffered them.',
      ],
      [
        'hugo',
        'Post-mortem: the renewal job had been disabled during the January migration. We now alert 21 days before any certificate runs out.',
      ],
    ],
  },
  {
    label: 'battery',
    channel: 'firmware',
    date: '2026-01-19',
    time: '10:15',
    says: [
      [
        'oskar',
        'Firmware 4.2 drains the probe battery in nine days instead of ninety. The radio never goes back to sleep after a failed uplink.',
      ],
      [
        'oskar',
        'Cause found: the retry timer keeps the modem awake. A fix is in 4.2.1, current in sleep is back to 11 microamps.',
      ],
      ['leila', 'Which customers have 4.2 in the field? Alder Bay Utilities has 60 units on it.'],
      ['oskar', 'Rolling out 4.2.1 over the air to all units this week, Alder Bay first.'],
    ],
  },
  {
    label: 'drift',
    channel: 'support',
    date: '2026-02-24',
    time: '13:05',
    says: [
      [
        'leila',
        'Alder Bay Utilities is angry: turbidity sensors raise false alarms every night and their operators have started to ignore them.',
      ],
      [
        'ravi',
        'Their readings climb about four percent a week. That is drift from biofouling on the optical window, not real turbidity.',
      ],
      [
        'oskar',
        'The wiper runs once a day there. Setting it to every two hours and recalibrating should stop the false alerts.',
      ],
      [
        'leila',
        'They threaten not to renew in April unless the nightly alarms stop. I promised a technician on site by Thursday.',
      ],
    ],
  },
  {
    label: 'northwind',
    channel: 'sales',
    date: '2026-03-03',
    time: '09:20',
    says: [
      [
        'jonah',
        'Northwind Harbor wants 120 Tidewatch units but says our price per sensor is 18% above what Hydrosense quoted.',
      ],
      [
        'priya',
        'Do not drop the unit price. Offer the three-year plan with calibration included, that is where Hydrosense charges extra.',
      ],
      [
        'jonah',
        'Their procurement lead Greta Solberg liked the calibration bundle. She needs a revised quote before 15 March.',
      ],
      [
        'david',
        'Up to 7% discount on a three-year commitment is fine from the finance side, anything beyond needs Mira.',
      ],
    ],
  },
  {
    label: 'soc2',
    channel: 'platform',
    date: '2026-01-27',
    time: '14:00',
    says: [
      [
        'hugo',
        'The SOC 2 auditors start on 9 February. I need evidence of quarterly access reviews and of our backup restore tests.',
      ],
      [
        'tomas',
        'Restore test of the main database was done on 12 January, took 38 minutes, protocol is attached in the audit folder.',
      ],
      [
        'hugo',
        'Two former contractors still had console access. Removed, and offboarding now revokes it automatically.',
      ],
      ['mira', 'Thank you both. Northwind and two utilities made the SOC 2 report a condition, so this one matters.'],
    ],
  },
  {
    label: 'postgres',
    channel: 'platform',
    date: '2026-01-13',
    time: '08:30',
    says: [
      [
        'tomas',
        'We move the readings database to Postgres 18 on Saturday night, expected read-only window is 25 minutes.',
      ],
      ['ravi', 'My nightly aggregation jobs start at 01:00, please pause them or they fail half way.'],
      [
        'tomas',
        'Migration finished in 19 minutes. Dashboard queries over a year of readings went from 14 s to 3 s thanks to the new index.',
      ],
    ],
  },
  {
    label: 'laptops',
    channel: 'general',
    date: '2026-01-08',
    time: '11:10',
    says: [
      [
        'nora',
        'Three people start on Monday and their laptops are still stuck in customs. Does anybody have a spare machine?',
      ],
      ['chen', "I have last year's test notebook in the cupboard, it is wiped and ready."],
      ['nora', 'Supplier says the delivery comes Wednesday. New colleagues get loan machines for two days.'],
    ],
  },
  {
    label: 'office',
    channel: 'general',
    date: '2026-03-09',
    time: '09:00',
    says: [
      [
        'nora',
        'We are moving! From 30 March our office is at Mill Street 14, third floor. Packing crates arrive on the 25th.',
      ],
      ['david', 'Lease on the old place ends 31 March, so nothing may stay there after the weekend of the 28th.'],
      ['chen', 'Will there be bike parking at Mill Street?'],
      ['nora', 'Yes, forty covered bicycle spots in the yard, and showers on the ground floor.'],
    ],
  },
  {
    label: 'holiday',
    channel: 'general',
    date: '2026-02-03',
    time: '10:00',
    says: [
      [
        'nora',
        'Reminder of the leave policy: 28 days a year, up to five unused days carry over until the end of March.',
      ],
      ['oskar', 'Do the carried-over days expire on 31 March even if my manager asked me to postpone?'],
      ['nora', 'If work made you postpone, they stay valid until June. Write me a line so that I can note it.'],
    ],
  },
  {
    label: 'tradeshow',
    channel: 'marketing',
    date: '2026-03-16',
    time: '15:30',
    says: [
      [
        'sofia',
        'Back from the Port Technology Expo in Rotterdam: 64 badge scans, 11 asked for a demo, our stand was next to Hydrosense.',
      ],
      ['priya', 'Who are the hot ones? I want to call them this week.'],
      [
        'sofia',
        'Port of Lindmouth, Calder Fisheries and Vesterhavn Marina. All three want dissolved oxygen monitoring before summer.',
      ],
      ['jonah', 'I take Port of Lindmouth, their harbour master Ewan Drummond asked for a trial of ten probes.'],
    ],
  },
];

export const THREADS: readonly Thread[] = [...EARLIER_THREADS, ...LATER_THREADS];
