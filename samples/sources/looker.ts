/**
 * Looker samples: dashboards, a query result in json, json_detail and CSV, a dashboard as PDF.
 * https://cloud.google.com/looker/docs/reference/looker-api/latest/types/Dashboard
 * https://cloud.google.com/looker/docs/reference/looker-api/latest/methods/Query/run_query
 */
import { csv } from '../csv.ts';
import type { Labels, SampleFile } from '../labels.ts';
import { pdf } from '../pdf.ts';
import { BOARDS, type Board, FLEET, REVIEW, SUPPORT } from '../stories/boards.ts';

export function lookerFiles(labels: Labels): SampleFile[] {
  for (const board of BOARDS) {
    labels.add(`board.${board.label}`, { source: 'looker', content_type: 'dashboard', external_id: board.id });
    for (const [index] of board.tiles.entries()) {
      labels.add(`board.${board.label}.${index}`, {
        source: 'looker',
        content_type: 'visualization',
        external_id: `${board.id}${index + 1}`,
      });
    }
  }
  return [
    ...BOARDS.map((board) => ({
      path: `looker/dashboard-${board.label}.json`,
      content: JSON.stringify(dashboard(board), null, 1),
    })),
    { path: 'looker/bookings-by-month.json', content: JSON.stringify(bookings(), null, 1) },
    { path: 'looker/support-load.json', content: JSON.stringify(detail(), null, 1) },
    {
      path: 'looker/sensor-fleet.csv',
      content: csv(['Sensors Model', 'Sensors Firmware', 'Sensors Count', 'Sensors Average Battery Days'], FLEET),
    },
    {
      path: 'looker/quarterly-review.pdf',
      content: pdf(
        'Quarterly business review Q1 2026',
        REVIEW.map((lines) => ({ lines })),
      ),
    },
  ];
}

function dashboard(board: Board): Record<string, unknown> {
  return {
    can: { index: true, show: true },
    id: board.id,
    title: board.title,
    description: board.description,
    slug: `slug${board.id}`,
    created_at: '2025-11-03T09:00:00.000+00:00',
    updated_at: `${board.updated}T08:00:00.000+00:00`,
    user_id: '12',
    user_name: 'Ravi Deshmukh',
    hidden: false,
    readonly: false,
    refresh_interval: '1 hour',
    preferred_timezone: 'UTC',
    query_timezone: null,
    folder: { id: '7', name: 'Shared' },
    model: null,
    url: `/dashboards/${board.id}`,
    view_count: 210,
    deleted: false,
    dashboard_filters: [
      {
        id: `${board.id}01`,
        dashboard_id: board.id,
        name: 'Period',
        title: 'Period',
        type: 'date_filter',
        default_value: '90 days',
        model: 'brightwater',
        explore: board.explore,
        dimension: `${board.explore}.created_date`,
        row: 0,
        listens_to_filters: [],
        allow_multiple_values: true,
        required: false,
      },
    ],
    dashboard_elements: board.tiles.map((tile, index) => ({
      id: `${board.id}${index + 1}`,
      dashboard_id: board.id,
      type: tile.chart === 'text' ? 'text' : 'vis',
      title: tile.title,
      title_hidden: false,
      note_text: tile.note,
      note_state: 'expanded',
      note_display: 'hover',
      body_text: tile.chart === 'text' ? tile.note : null,
      look_id: null,
      query_id: tile.chart === 'text' ? null : `9${board.id}${index}`,
      query:
        tile.chart === 'text'
          ? null
          : {
              id: `9${board.id}${index}`,
              model: 'brightwater',
              view: board.explore,
              fields: tile.fields,
              pivots: null,
              fill_fields: null,
              filters: tile.filters,
              sorts: [`${tile.fields[0]} desc`],
              limit: '500',
              vis_config: { type: tile.chart },
            },
      result_maker: null,
      refresh_interval: null,
      deleted: false,
    })),
    dashboard_layouts: [
      {
        id: `${board.id}90`,
        dashboard_id: board.id,
        type: 'newspaper',
        active: true,
        column_width: null,
        width: null,
        dashboard_layout_components: [],
      },
    ],
  };
}

function bookings(): Record<string, unknown>[] {
  return [
    { 'deals.close_month': '2026-01', 'deals.total_amount': 310_000, 'deals.count': 9, 'deals.win_rate': 0.31 },
    { 'deals.close_month': '2026-02', 'deals.total_amount': 402_000, 'deals.count': 11, 'deals.win_rate': 0.34 },
    { 'deals.close_month': '2026-03', 'deals.total_amount': 528_000, 'deals.count': 14, 'deals.win_rate': 0.42 },
  ];
}

/** json_detail: cells as `{value, rendered}`, labels under `fields`. */
function detail(): Record<string, unknown> {
  return {
    id: 'support-load-4711',
    errors: [],
    added_params: {},
    truncated: false,
    has_totals: false,
    has_row_totals: false,
    runtime: '0.41',
    fields: {
      dimensions: [
        { name: 'tickets.created_week', label: 'Tickets Created Week', label_short: 'Created Week', type: 'date_week' },
        { name: 'tickets.category', label: 'Tickets Category', label_short: 'Category', type: 'string' },
      ],
      measures: [
        { name: 'tickets.count', label: 'Tickets Count', label_short: 'Count', type: 'count' },
        {
          name: 'tickets.median_hours',
          label: 'Tickets Median Hours',
          label_short: 'Median Hours to Answer',
          type: 'number',
        },
      ],
      table_calculations: [],
      pivots: [],
    },
    data: SUPPORT.map(([week, category, count, hours]) => ({
      'tickets.created_week': { value: week },
      'tickets.category': { value: category },
      'tickets.count': { value: count, rendered: String(count), links: [] },
      'tickets.median_hours': { value: hours, rendered: `${hours} h` },
    })),
  };
}
