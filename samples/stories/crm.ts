/** Customers and leads of the samples, as both CRM systems hold them. */

export interface Customer {
  label: string;
  name: string;
  industry: string;
  city: string;
  country: string;
  employees: number;
  description: string;
  contact: readonly [first: string, last: string, title: string];
  deal: readonly [name: string, stage: string, amount: number, close: string, next: string];
}

export const CUSTOMERS: readonly Customer[] = [
  {
    label: 'northwind',
    name: 'Northwind Harbor',
    industry: 'Ports',
    city: 'Hamburg',
    country: 'Germany',
    employees: 840,
    description: 'Container and ferry port that must report water quality to the state every month.',
    contact: ['Greta', 'Solberg', 'Procurement Lead'],
    deal: [
      'Northwind Harbor 120 units',
      'Negotiation',
      186_000,
      '2026-03-31',
      'Revised three-year quote with calibration',
    ],
  },
  {
    label: 'alder',
    name: 'Alder Bay Utilities',
    industry: 'Utilities',
    city: 'Kiel',
    country: 'Germany',
    employees: 310,
    description: 'Municipal drinking water company. Renewal at risk because of nightly false alarms.',
    contact: ['Marcus', 'Thiele', 'Operations Manager'],
    deal: ['Alder Bay renewal 2026', 'At Risk', 74_000, '2026-04-30', 'Recalibrate sixty sensors'],
  },
  {
    label: 'lindmouth',
    name: 'Port of Lindmouth',
    industry: 'Ports',
    city: 'Aberdeen',
    country: 'United Kingdom',
    employees: 120,
    description: 'Harbour with repeated fish kills in summer; wants early warning of oxygen loss.',
    contact: ['Ewan', 'Drummond', 'Harbour Master'],
    deal: ['Lindmouth oxygen trial', 'Trial', 15_000, '2026-05-29', 'Ship ten probes'],
  },
  {
    label: 'cedar',
    name: 'Cedar Point Water',
    industry: 'Utilities',
    city: 'Bremen',
    country: 'Germany',
    employees: 95,
    description: 'Small water supplier, 65 licences after a downgrade in December.',
    contact: ['Paula', 'Brandt', 'Accounts Payable'],
    deal: ['Cedar Point licences 2026', 'Closed Won', 39_000, '2026-01-15', 'Send corrected invoice'],
  },
  {
    label: 'calder',
    name: 'Calder Fisheries',
    industry: 'Aquaculture',
    city: 'Oban',
    country: 'United Kingdom',
    employees: 60,
    description: 'Four salmon farms without mains power at the pens; needs solar buoys.',
    contact: ['Fiona', 'Calder', 'Managing Director'],
    deal: ['Calder solar buoys', 'Qualification', 48_000, '2026-06-30', 'Send solar data sheet'],
  },
  {
    label: 'vesterhavn',
    name: 'Vesterhavn Marina',
    industry: 'Leisure',
    city: 'Esbjerg',
    country: 'Denmark',
    employees: 45,
    description: 'Bathing water must be announced safe each morning before nine.',
    contact: ['Karen', 'Munk', 'Marina Manager'],
    deal: ['Vesterhavn bathing water', 'Proposal', 22_500, '2026-05-15', 'Visit in April'],
  },
  {
    label: 'gullwing',
    name: 'Gullwing Desalination',
    industry: 'Utilities',
    city: 'Almeria',
    country: 'Spain',
    employees: 210,
    description: 'Desalination plant that monitors salinity of brine before it returns to the sea.',
    contact: ['Javier', 'Ortega', 'Plant Director'],
    deal: ['Gullwing salinity monitoring', 'Closed Lost', 91_000, '2026-02-27', 'Lost to Hydrosense on delivery time'],
  },
  {
    label: 'fenbrook',
    name: 'Fenbrook Brewery',
    industry: 'Food and Beverage',
    city: 'Leuven',
    country: 'Belgium',
    employees: 150,
    description: 'Brewery that checks the hardness of its well water for each batch of beer.',
    contact: ['Pieter', 'Claes', 'Head Brewer'],
    deal: ['Fenbrook well water', 'Closed Won', 12_800, '2026-02-12', 'Installation in week 9'],
  },
];

export interface Lead {
  label: string;
  first: string;
  last: string;
  company: string;
  title: string;
  source: string;
  status: string;
  notes: string;
}

export const LEADS: readonly Lead[] = [
  {
    label: 'lead.ruda',
    first: 'Marta',
    last: 'Nowak',
    company: 'Ruda Canal Authority',
    title: 'Engineer',
    source: 'Trade Show',
    status: 'Open',
    notes: 'Met at the Rotterdam expo, asked about heavy metals in canals.',
  },
  {
    label: 'lead.osprey',
    first: 'Liam',
    last: 'Byrne',
    company: 'Osprey Hatchery',
    title: 'Owner',
    source: 'Trade Show',
    status: 'Working',
    notes: 'Met at the Rotterdam expo, trout hatchery with ammonia problems.',
  },
  {
    label: 'lead.sola',
    first: 'Ingrid',
    last: 'Berg',
    company: 'Sola Airport',
    title: 'Environment Officer',
    source: 'Web',
    status: 'Open',
    notes: 'De-icing fluid in the runoff, needs glycol detection by winter.',
  },
  {
    label: 'lead.tarn',
    first: 'Noah',
    last: 'Keller',
    company: 'Tarn Swimming Lakes',
    title: 'Director',
    source: 'Referral',
    status: 'Nurturing',
    notes: 'Recommended by Vesterhavn Marina; natural pools, worried about bacteria.',
  },
  {
    label: 'lead.quarry',
    first: 'Aline',
    last: 'Dubois',
    company: 'Grenoble Quarries',
    title: 'Compliance',
    source: 'Web',
    status: 'Unqualified',
    notes: 'Only wants a handheld meter, no network.',
  },
];

export interface Activity {
  label: string;
  type: 'notes' | 'calls' | 'emails' | 'meetings' | 'tasks';
  at: string;
  customer: string;
  subject: string;
  body: string;
}

export const ACTIVITIES: readonly Activity[] = [
  {
    label: 'act.alder',
    type: 'notes',
    at: '2026-02-26T16:00:00Z',
    customer: 'alder',
    subject: '',
    body: '<p>Technician cleaned and recalibrated 60 probes at Alder Bay. <strong>No false alarm</strong> during the following night.</p>',
  },
  {
    label: 'act.northwind',
    type: 'emails',
    at: '2026-03-12T10:15:00Z',
    customer: 'northwind',
    subject: 'Revised offer over three years',
    body: 'Dear Greta, attached is the offer with calibration visits included and seven percent off for the three-year commitment.',
  },
  {
    label: 'act.lindmouth',
    type: 'meetings',
    at: '2026-03-30T09:00:00Z',
    customer: 'lindmouth',
    subject: 'Installation of trial probes',
    body: 'Placed ten probes along the inner quay of Lindmouth with Ewan, all report every five minutes.',
  },
  {
    label: 'act.cedar',
    type: 'calls',
    at: '2026-02-20T11:00:00Z',
    customer: 'cedar',
    subject: 'Apology for wrong bill',
    body: 'Confirmed the refund for fifteen unused seats to Paula.',
  },
  {
    label: 'act.calder',
    type: 'tasks',
    at: '2026-03-20T08:00:00Z',
    customer: 'calder',
    subject: 'Send solar buoy data sheet',
    body: 'Fiona wants panel size and the battery runtime in winter.',
  },
  {
    label: 'act.fenbrook',
    type: 'notes',
    at: '2026-03-02T12:00:00Z',
    customer: 'fenbrook',
    subject: '',
    body: 'Installation at the brewery is done. Pieter sees calcium and magnesium of the well on his phone now.',
  },
  {
    label: 'act.gullwing',
    type: 'calls',
    at: '2026-02-27T15:00:00Z',
    customer: 'gullwing',
    subject: 'Why we lost',
    body: 'Javier chose the competitor since they deliver in two weeks and we need eight. Price was not the reason.',
  },
];
