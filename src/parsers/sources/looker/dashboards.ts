/**
 * Dashboards and their tiles.
 * https://cloud.google.com/looker/docs/reference/looker-api/latest/types/Dashboard and
 * https://cloud.google.com/looker/docs/reference/looker-api/latest/types/DashboardElement
 */
import type { ParsedRecord } from '../../../schema/records.ts';
import { humanised, plain } from '../columns.ts';
import { stableHash } from '../hash.ts';
import { record } from '../record.ts';
import { isoFromAny } from '../times.ts';
import { id, isObject, labelled, lines, objects, type Row, str } from '../values.ts';

export function isDashboard(value: Row): boolean {
  return Array.isArray(value.dashboard_elements) || Array.isArray(value.dashboard_filters);
}

export function* dashboardRecords(value: Row, instance: string | null): Iterable<ParsedRecord> {
  const title = str(value.title);
  const elements = objects(value.dashboard_elements).filter((element) => element.deleted !== true);
  const key = id(value.id) ?? id(value.slug) ?? `dashboard:${stableHash(title ?? '', ...elements.map(elementTitle))}`;
  const owner = str(value.user_name) ?? (isObject(value.user) ? str(value.user.display_name) : null);
  const address = str(value.url) ?? (id(value.id) === null ? null : `/dashboards/${id(value.id)}`);
  const url = address === null ? null : absolute(address, instance);
  yield record({
    external_id: key,
    content_type: 'dashboard',
    title,
    text: lines(
      title ?? `Dashboard ${key}`,
      str(value.description),
      isObject(value.folder) ? labelled('Folder', value.folder.name) : null,
      ...objects(value.dashboard_filters).map(filterLine),
      elements.length === 0 ? null : `Tiles: ${elements.map(elementTitle).filter(Boolean).join('; ')}`,
    ),
    author: owner,
    participants: owner === null ? [] : [owner],
    occurred_at: isoFromAny(value.updated_at) ?? isoFromAny(value.created_at),
    url,
    metadata: {
      dashboard_id: id(value.id),
      slug: value.slug,
      model: isObject(value.model) ? value.model.id : value.model,
      folder: isObject(value.folder) ? value.folder.name : undefined,
      user_id: id(value.user_id),
      refresh_interval: value.refresh_interval,
      view_count: value.view_count,
      created_at: isoFromAny(value.created_at),
      deleted: value.deleted === true ? true : undefined,
      filters: objects(value.dashboard_filters).map((filter) => filter.name ?? filter.title),
      layouts: objects(value.dashboard_layouts).map((layout) => layout.type),
    },
  });
  for (const element of elements) {
    const tile = elementRecord(element, { key, title, url });
    if (tile !== null) yield tile;
  }
}

/** https://cloud.google.com/looker/docs/reference/looker-api/latest/types/DashboardFilter */
function filterLine(filter: Row): string | null {
  const name = str(filter.title) ?? str(filter.name);
  if (name === null) return null;
  const value = str(filter.default_value);
  return value === null ? `Filter: ${name}` : `Filter: ${name} = ${value}`;
}

interface Parent {
  key: string;
  title: string | null;
  url: string | null;
}

function elementTitle(element: Row): string {
  const look = isObject(element.look) ? str(element.look.title) : null;
  return str(element.title) ?? str(element.title_text) ?? look ?? '';
}

/** A tile that shows a query, a Look or a text; spacers and buttons without words give nothing. */
function elementRecord(element: Row, parent: Parent): ParsedRecord | null {
  const title = elementTitle(element) || null;
  const look = isObject(element.look) ? element.look : {};
  const maker = isObject(element.result_maker) ? element.result_maker : {};
  const query = [element.query, look.query, maker.query].find(isObject) ?? {};
  const body = lines(
    title,
    prose(element.subtitle_text),
    prose(element.note_text),
    prose(element.body_text),
    str(look.description),
    queryText(query),
  );
  if (body === '') return null;
  const config = isObject(query.vis_config) ? query.vis_config : isObject(maker.vis_config) ? maker.vis_config : {};
  return record({
    external_id: id(element.id) ?? `${parent.key}:tile:${stableHash(body)}`,
    content_type: 'visualization',
    title,
    text: lines(body, parent.title === null ? null : `On dashboard: ${parent.title}`),
    url: parent.url,
    parent_id: parent.key,
    metadata: {
      dashboard_id: parent.key,
      type: element.type,
      chart: config.type,
      query_id: id(element.query_id) ?? id(query.id),
      look_id: id(element.look_id),
      ...queryFacts(query),
    },
  });
}

/** https://cloud.google.com/looker/docs/reference/looker-api/latest/types/Look */
export function lookRecord(look: Row, instance: string | null): ParsedRecord {
  const title = str(look.title);
  const query = isObject(look.query) ? look.query : {};
  const owner = isObject(look.user) ? str(look.user.display_name) : null;
  const key = id(look.id) === null ? null : `look:${id(look.id)}`;
  const address = str(look.short_url) ?? str(look.url);
  return record({
    external_id: key ?? `look:${stableHash(title ?? '', queryText(query))}`,
    content_type: 'visualization',
    title,
    text: lines(title, str(look.description), queryText(query)),
    author: owner,
    participants: owner === null ? [] : [owner],
    occurred_at: isoFromAny(look.updated_at) ?? isoFromAny(look.created_at),
    url: address === null ? null : absolute(address, instance),
    metadata: { look_id: id(look.id), query_id: id(look.query_id) ?? id(query.id), ...queryFacts(query) },
  });
}

/** https://cloud.google.com/looker/docs/reference/looker-api/latest/types/Query */
function queryText(query: Row): string {
  const fields = names(query.fields);
  return lines(
    str(query.view) === null ? null : `Explore: ${humanised(str(query.view) ?? '')}`,
    fields.length === 0 ? null : `Fields: ${fields.map(humanised).join(', ')}`,
    filtersText(query.filters),
    names(query.sorts).length === 0 ? null : `Sorted by: ${names(query.sorts).map(humanised).join(', ')}`,
  );
}

function filtersText(filters: unknown): string | null {
  if (!isObject(filters)) return null;
  const parts = Object.keys(filters).flatMap((name) => {
    const value = str(filters[name]);
    return value === null ? [] : [`${humanised(name)} = ${value}`];
  });
  return parts.length === 0 ? null : `Filters: ${parts.join('; ')}`;
}

function queryFacts(query: Row): Row {
  return { model: query.model, explore: query.view, fields: names(query.fields), limit: query.limit };
}

function names(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((name) => typeof name === 'string') : [];
}

function prose(value: unknown): string | null {
  const text = str(value);
  return text === null ? null : plain(text);
}

function absolute(address: string, instance: string | null): string | null {
  if (/^https?:\/\//.test(address)) return address;
  return instance === null ? null : `${instance}${address.startsWith('/') ? '' : '/'}${address}`;
}
