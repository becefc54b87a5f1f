/** Calls of the samples; a turn is `label.n`, its findings are `label.brief` and `label.key_points`. */

export interface Call {
  label: string;
  id: string;
  title: string;
  started: string;
  host: string;
  /** Name, title, company of the people outside. */
  guests: readonly (readonly [name: string, title: string])[];
  account: string;
  brief: string;
  keyPoints: readonly string[];
  actions: readonly string[];
  trackers: readonly (readonly [name: string, count: number])[];
  topics: readonly (readonly [name: string, seconds: number])[];
  /** Speaker: `host` or a guest's position. */
  turns: readonly (readonly [speaker: 'host' | number, text: string])[];
}

export const CALLS: readonly Call[] = [
  {
    label: 'call.northwind',
    id: '7782342274025930001',
    title: 'Northwind Harbor: pricing review',
    started: '2026-03-04T13:00:00+01:00',
    host: 'jonah',
    guests: [['Greta Solberg', 'Procurement Lead']],
    account: 'Northwind Harbor',
    brief:
      'Greta Solberg compared the Tidewatch offer with a cheaper quote by Hydrosense and asked for a revised offer with calibration included over three years.',
    keyPoints: [
      'Hydrosense is 18 percent cheaper per sensor',
      'Calibration visits are not part of the Hydrosense quote',
      'Decision before the end of March',
    ],
    actions: ['Jonah sends a revised three-year quote by 15 March'],
    trackers: [
      ['Competitor: Hydrosense', 4],
      ['Pricing objection', 3],
      ['Legal', 0],
    ],
    topics: [
      ['Pricing', 640],
      ['Calibration', 410],
    ],
    turns: [
      ['host', 'Thanks for making time, Greta. You mentioned that the budget is the open question.'],
      [0, 'Yes. Honestly, your sensors cost us far more per piece than the other vendor, and my board will ask why.'],
      ['host', 'Their quote leaves out calibration visits. Over three years those add roughly a quarter to the total.'],
      [
        0,
        'If you put calibration into a three-year plan, I can defend that. I need it in writing before the fifteenth.',
      ],
    ],
  },
  {
    label: 'call.alder',
    id: '7782342274025930002',
    title: 'Alder Bay Utilities: health check',
    started: '2026-02-25T15:00:00+01:00',
    host: 'leila',
    guests: [
      ['Marcus Thiele', 'Operations Manager'],
      ['Ines Albrecht', 'Control Room Lead'],
    ],
    account: 'Alder Bay Utilities',
    brief: 'Alder Bay is unhappy about false turbidity alarms at night and makes the renewal in April depend on a fix.',
    keyPoints: [
      'Night shift ignores alarms since they are usually wrong',
      'Renewal of 60 units is at risk',
      'Technician visit agreed for Thursday',
    ],
    actions: ['Leila sends a technician to recalibrate all sixty units', 'Oskar changes the wiper interval remotely'],
    trackers: [
      ['Churn risk', 5],
      ['Competitor: Hydrosense', 1],
    ],
    topics: [
      ['Support', 900],
      ['Renewal', 300],
    ],
    turns: [
      ['host', 'I would like to hear how the last weeks were for your control room.'],
      [1, 'Bad. We get woken up every night by warnings about cloudy water, and when we look the water is clear.'],
      [0, 'I will be frank: if this goes on we will not sign again in spring.'],
      [
        'host',
        'I understand. The optical windows are overgrown. We clean and recalibrate every unit this week at our cost.',
      ],
    ],
  },
  {
    label: 'call.lindmouth',
    id: '7782342274025930003',
    title: 'Port of Lindmouth: trial kickoff',
    started: '2026-03-24T10:00:00+00:00',
    host: 'jonah',
    guests: [['Ewan Drummond', 'Harbour Master']],
    account: 'Port of Lindmouth',
    brief:
      'Kickoff of a trial with ten oxygen probes in the inner basin; success means an early warning of algae blooms.',
    keyPoints: [
      'Ten probes from 1 April for eight weeks',
      'Fish kills in two of the last three summers',
      'Alerts should reach the duty officer by text message',
    ],
    actions: ['Jonah ships ten probes before the end of the month'],
    trackers: [['Trial', 3]],
    topics: [
      ['Onboarding', 720],
      ['Use case', 530],
    ],
    turns: [
      [
        0,
        'We lost a lot of fish in two of the last three summers because the oxygen in the basin collapsed overnight.',
      ],
      ['host', 'Then we place the probes along the inner quay, where water hardly moves, and warn you hours ahead.'],
      [0, 'The duty officer has no computer at night, a text message would be the thing.'],
    ],
  },
  {
    label: 'call.cedar',
    id: '7782342274025930004',
    title: 'Cedar Point Water: billing question',
    started: '2026-02-20T09:30:00+01:00',
    host: 'jonah',
    guests: [['Paula Brandt', 'Accounts Payable']],
    account: 'Cedar Point Water',
    brief: 'Cedar Point was charged for fifteen licences too many; Jonah apologised and confirmed the credit note.',
    keyPoints: ['Billed 80 licences, 65 in use', 'Credit note of 4,350 euros'],
    actions: ['Jonah confirms the corrected invoice in writing'],
    trackers: [['Billing', 6]],
    topics: [['Billing', 500]],
    turns: [
      [0, 'We were charged for eighty seats although we gave back fifteen of them before Christmas.'],
      ['host', 'You are right, and I am sorry. You get the difference back and a corrected bill tomorrow.'],
    ],
  },
  {
    label: 'call.calder',
    id: '7782342274025930005',
    title: 'Calder Fisheries: first conversation',
    started: '2026-03-19T14:00:00+00:00',
    host: 'priya',
    guests: [['Fiona Calder', 'Managing Director']],
    account: 'Calder Fisheries',
    brief:
      'Fiona Calder runs four salmon farms and looks for continuous oxygen readings with solar power, since the pens have no electricity.',
    keyPoints: ['Four sites, about 30 probes', 'No mains power at the pens', 'Budget decision in May'],
    actions: ['Priya sends data sheet of the solar buoy'],
    trackers: [['Budget', 2]],
    topics: [['Discovery', 1100]],
    turns: [
      [0, 'There is no electricity out at the pens, so whatever you sell me has to run off the sun.'],
      ['host', 'The buoy has its own panel and a battery for twelve dark days.'],
      [0, 'Good. Money is decided in May, before that I can only promise interest.'],
    ],
  },
];
