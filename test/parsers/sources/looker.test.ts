/** Looker: dashboards with their tiles, Looks, result rows in every format, PDF pages. */
import { describe, expect, it } from 'vitest';
import { lookerParser } from '../../../src/parsers/sources/looker/index.ts';
import { fromJson, fromRow, only, RecordError, started } from './read.ts';

const DASHBOARD = {
  id: '12',
  title: 'Sales',
  description: 'All deals',
  slug: 'abc',
  updated_at: '2025-03-04T10:00:00.000+00:00',
  user_name: 'Ana Ruiz',
  url: '/dashboards/12',
  folder: { id: '1', name: 'Shared' },
  model: { id: 'crm' },
  dashboard_filters: [{ name: 'Region', title: 'Region', default_value: 'EU' }, { name: 'Owner' }, {}],
  dashboard_elements: [
    {
      id: '100',
      type: 'vis',
      title: 'By stage',
      note_text: 'Open <b>only</b>',
      query_id: 5,
      query: {
        model: 'crm',
        view: 'deals',
        fields: ['deals.stage', 'deals.count'],
        filters: { 'deals.open': 'Yes', 'deals.none': null },
        sorts: ['deals.count desc'],
        limit: '500',
        vis_config: { type: 'looker_bar' },
      },
    },
    {
      id: '101',
      type: 'vis',
      title: null,
      look_id: '7',
      look: { title: 'Win rate', description: 'By month', query: { view: 'deals', fields: ['deals.win_rate'] } },
    },
    {
      id: '102',
      type: 'vis',
      result_maker: { query: { view: 'tickets', fields: ['tickets.count'] }, vis_config: { type: 'single_value' } },
    },
    { id: '103', type: 'text', title_text: 'Read me', body_text: '<p>Ask &amp; tell</p>' },
    { id: '104', type: 'text' },
    { id: '105', type: 'vis', title: 'Gone', deleted: true },
    null,
  ],
  dashboard_layouts: [{ type: 'newspaper' }],
};

describe('dashboards', () => {
  const [dashboard, ...tiles] = fromJson(started(lookerParser), DASHBOARD);

  it('are a record', () => {
    expect(dashboard).toMatchObject({
      external_id: '12',
      content_type: 'dashboard',
      title: 'Sales',
      author: 'Ana Ruiz',
      occurred_at: '2025-03-04T10:00:00.000Z',
      url: null,
    });
    expect(dashboard?.text).toBe(
      'Sales\nAll deals\nFolder: Shared\nFilter: Region = EU\nFilter: Owner\nTiles: By stage; Win rate; Read me',
    );
    expect(dashboard?.metadata).toMatchObject({ model: 'crm', layouts: ['newspaper'], filters: ['Region', 'Owner'] });
  });

  it('have a visualization per tile that says something', () => {
    expect(tiles.map((tile) => [tile.external_id, tile.content_type, tile.title, tile.parent_id])).toEqual([
      ['100', 'visualization', 'By stage', '12'],
      ['101', 'visualization', 'Win rate', '12'],
      ['102', 'visualization', null, '12'],
      ['103', 'visualization', 'Read me', '12'],
    ]);
    expect(tiles[0]?.text).toBe(
      'By stage\nOpen only\nExplore: Deals\nFields: Deals stage, Deals count\nFilters: Deals open = Yes\nSorted by: Deals count desc\nOn dashboard: Sales',
    );
    expect(tiles[0]?.metadata).toMatchObject({ chart: 'looker_bar', query_id: '5', explore: 'deals' });
    expect(tiles[1]?.text).toContain('By month');
    expect(tiles[2]?.metadata.chart).toBe('single_value');
    expect(tiles[3]?.text).toContain('Ask & tell');
  });

  it('name their page when the instance is known', () => {
    const upload = started(lookerParser, ['d.json'], { instance_url: 'https://bi.example/' });
    expect(fromJson(upload, DASHBOARD)[0]?.url).toBe('https://bi.example/dashboards/12');
  });

  it('without an id keep one made of what they show', () => {
    const bare = { title: 'Sales', dashboard_elements: [{ title: 'A' }] };
    const [first, tile] = fromJson(started(lookerParser), bare);
    expect(fromJson(started(lookerParser), bare)[0]?.external_id).toBe(first?.external_id);
    expect(tile?.parent_id).toBe(first?.external_id);
  });

  it('are told from Looks', () => {
    const look = {
      id: '7',
      title: 'Win rate',
      query: { model: 'crm', view: 'deals', fields: ['deals.win_rate'] },
      user: { display_name: 'Ana' },
    };
    expect(only(fromJson(started(lookerParser), look))).toMatchObject({
      external_id: 'look:7',
      content_type: 'visualization',
      title: 'Win rate',
      author: 'Ana',
    });
  });
});

describe('query results', () => {
  const row = { 'orders.created_month': '2025-03', 'orders.status': 'open', 'orders.count': 12, 'orders.note': null };

  it('are a readable record a row', () => {
    const record = only(fromJson(started(lookerParser), row, { entry: 'results/orders-by-month.json' }));
    expect(record).toMatchObject({
      content_type: 'query_result',
      title: 'Orders by month',
      occurred_at: '2025-03-01T00:00:00.000Z',
      text: 'Orders created month: 2025-03\nOrders status: open\nOrders count: 12',
    });
    expect(record.external_id).toMatch(/^row:[0-9a-f]{32}$/);
  });

  it('have ids of what they say, whatever the file and the column order', () => {
    const id = only(fromJson(started(lookerParser), row)).external_id;
    const reversed = Object.fromEntries(Object.entries(row).reverse());
    expect(only(fromJson(started(lookerParser), reversed, { entry: 'other.json' })).external_id).toBe(id);
    expect(only(fromJson(started(lookerParser), { ...row, 'orders.count': 13 })).external_id).not.toBe(id);
  });

  it('of json_detail read rendered values and labels', () => {
    const envelope = {
      id: 'q1',
      fields: {
        dimensions: [{ name: 'orders.status', label_short: 'State' }],
        measures: [{ name: 'orders.total', label: 'Orders Total' }],
      },
    };
    const detail = {
      'orders.status': { value: 'open' },
      'orders.total': { value: 1234.5, rendered: '$1,234.50', links: [] },
      'orders.gone': { value: null },
    };
    const record = only(fromJson(started(lookerParser), detail, { key: 'data', envelope }));
    expect(record.text).toBe('State: open\nOrders Total: $1,234.50');
    expect(record.metadata.query_id).toBe('q1');
    expect(fromJson(started(lookerParser), { ...envelope, data: [detail] })[0]?.external_id).toBe(record.external_id);
  });

  it('with pivots read each value by its pivot', () => {
    const pivoted = { 'orders.status': 'open', 'orders.count': { EU: 3, US: { value: 4 } } };
    expect(only(fromJson(started(lookerParser), pivoted)).text).toBe('Orders status: open\nOrders count: EU 3; US 4');
  });

  it('of CSV read in any column order', () => {
    const cells = { 'Orders Status': 'open', 'Orders Count': '12', 'Orders Created Date': '2025-03-04' };
    const record = only(fromRow(started(lookerParser), cells));
    expect(record).toMatchObject({
      text: 'Orders Status: open\nOrders Count: 12\nOrders Created Date: 2025-03-04',
      occurred_at: '2025-03-04T00:00:00.000Z',
    });
    const reversed = Object.fromEntries(Object.entries(cells).reverse());
    expect(only(fromRow(started(lookerParser), reversed)).external_id).toBe(record.external_id);
  });

  it('without a value give nothing; what is no row is reported', () => {
    expect(fromJson(started(lookerParser), { a: null, b: '' })).toEqual([]);
    expect(fromRow(started(lookerParser), { a: '' })).toEqual([]);
    expect(() => fromJson(started(lookerParser), 5)).toThrow(RecordError);
  });
});

describe('PDF', () => {
  const at = { entry: 'q1.pdf', line: 1, key: null };
  const page = { number: 2, pages: 3, text: 'Churn is low', title: 'Quarterly review' };

  it('gives a dashboard record a page', () => {
    const [record] = [...started(lookerParser, ['q1.pdf']).page(page, at)];
    expect(record).toMatchObject({
      content_type: 'dashboard',
      title: 'Quarterly review',
      text: 'Quarterly review\nChurn is low',
      metadata: { page: 2, pages: 3, file: 'q1.pdf' },
    });
    const [other] = [
      ...started(lookerParser, ['copy.pdf']).page({ ...page, text: 'New' }, { ...at, entry: 'copy.pdf' }),
    ];
    expect(other?.external_id).toBe(record?.external_id);
    const [next] = [...started(lookerParser, ['q1.pdf']).page({ ...page, number: 3 }, at)];
    expect(next?.external_id).not.toBe(record?.external_id);
  });

  it('leaves out empty pages', () => {
    expect([...started(lookerParser, ['q1.pdf']).page({ ...page, text: ' \n' }, at)]).toEqual([]);
  });
});
