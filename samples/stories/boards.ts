/** Dashboards, results and the quarterly review of the samples. */

export interface Board {
  label: string;
  id: string;
  title: string;
  description: string;
  explore: string;
  updated: string;
  tiles: readonly {
    title: string;
    chart: string;
    note: string;
    fields: readonly string[];
    filters: Readonly<Record<string, string>>;
  }[];
}

export const BOARDS: readonly Board[] = [
  {
    label: 'pipeline',
    id: '41',
    title: 'Pipeline Health',
    description: 'Open deals by stage, win rate and expected bookings for the sales meeting on Mondays.',
    explore: 'deals',
    updated: '2026-03-23',
    tiles: [
      {
        title: 'Open deals by stage',
        chart: 'looker_funnel',
        note: 'Counts only deals touched within the last sixty days.',
        fields: ['deals.stage', 'deals.count'],
        filters: { 'deals.is_closed': 'No' },
      },
      {
        title: 'Win rate against Hydrosense',
        chart: 'looker_line',
        note: 'Share of competitive deals that we won, by month.',
        fields: ['deals.close_month', 'deals.win_rate'],
        filters: { 'deals.competitor': 'Hydrosense' },
      },
      {
        title: 'Bookings versus target',
        chart: 'looker_column',
        note: 'Target of the first quarter is 1.1 million euros.',
        fields: ['deals.close_month', 'deals.total_amount'],
        filters: {},
      },
    ],
  },
  {
    label: 'fleet',
    id: '42',
    title: 'Sensor Fleet Reliability',
    description: 'Battery life, uplink success and drift of all probes in the field.',
    explore: 'sensors',
    updated: '2026-03-18',
    tiles: [
      {
        title: 'Battery days by firmware version',
        chart: 'looker_bar',
        note: 'Version 4.2 is the outlier, fixed in 4.2.1.',
        fields: ['sensors.firmware', 'sensors.average_battery_days'],
        filters: {},
      },
      {
        title: 'Turbidity drift per week',
        chart: 'looker_line',
        note: 'Drift above three percent a week means that the optical window needs cleaning.',
        fields: ['sensors.week', 'sensors.drift_percent'],
        filters: { 'sensors.kind': 'turbidity' },
      },
      {
        title: 'How to read this dashboard',
        chart: 'text',
        note: 'Only units that reported within the last seven days are counted.',
        fields: [],
        filters: {},
      },
    ],
  },
  {
    label: 'support',
    id: '43',
    title: 'Support Load',
    description: 'Tickets by category and how fast we answer them.',
    explore: 'tickets',
    updated: '2026-03-16',
    tiles: [
      {
        title: 'Tickets by category',
        chart: 'looker_area',
        note: 'False alarms were the largest group in February.',
        fields: ['tickets.created_week', 'tickets.category', 'tickets.count'],
        filters: {},
      },
      {
        title: 'Median time to first answer',
        chart: 'single_value',
        note: 'Goal is four hours.',
        fields: ['tickets.median_hours'],
        filters: {},
      },
    ],
  },
];

export const FLEET: readonly (readonly (string | number)[])[] = [
  ['Tidewatch Mini', '4.1', 210, 93],
  ['Tidewatch Mini', '4.2', 60, 9],
  ['Tidewatch Mini', '4.2.1', 340, 91],
  ['Tidewatch Pro', '4.2.1', 125, 118],
  ['Solar Buoy', '2.0', 18, 365],
];

export const SUPPORT: readonly (readonly [week: string, category: string, count: number, hours: number])[] = [
  ['2026-02-16', 'False alarms', 31, 5.5],
  ['2026-02-23', 'False alarms', 38, 6.1],
  ['2026-03-02', 'False alarms', 6, 3.2],
  ['2026-02-23', 'Billing', 7, 2.8],
  ['2026-03-02', 'Mobile app', 5, 3.9],
];

export const REVIEW: readonly (readonly string[])[] = [
  [
    'Quarterly business review Q1 2026',
    'Bookings reached 1.24 million euros, thirteen percent above target.',
    'Net revenue retention was 104 percent.',
  ],
  [
    'Customers',
    'Churn: one account lost, Gullwing Desalination, over delivery time.',
    'Largest open renewal: Alder Bay Utilities in April.',
  ],
  [
    'Operations',
    'Ingest availability was 99.93 percent; the expired certificate in February cost 45 minutes.',
    'Probe connectors are short until June; a second supplier was approved.',
  ],
];
