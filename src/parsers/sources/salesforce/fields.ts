/**
 * A record's fields by normalised names, whichever way they came: API names, report labels, nested relationships.
 * Nested relationships in query results:
 * https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_relationships.htm
 */
import { humanised, keyOf, scalar } from '../columns.ts';
import { isObject, type Row } from '../values.ts';

export interface Field {
  /** As a person would write it. */
  label: string;
  value: string;
}

/** Says nothing to a reader, or says it about the system. */
const NOISE =
  /^(?:attributes|isdeleted|systemmodstamp|photourl|masterrecordid|jigsaw.*|cleanstatus|lastviewed(?:date)?|lastreferenced(?:date)?|recordtypeid|.*(?:latitude|longitude|geocodeaccuracy)|createdbyid|lastmodifiedbyid|lastmodifieddate|emailbounced.*|haso(?:pportunitylineitem|penactivity|verduetask)|pricebook2id|individualid|dandbcompanyid|operatinghoursid)$/;

export function flatten(value: Row): Map<string, Field> {
  const fields = new Map<string, Field>();
  add(fields, value, '', 0);
  return fields;
}

function add(fields: Map<string, Field>, value: Row, prefix: string, depth: number): void {
  for (const name in value) {
    const inner = value[name];
    const path = prefix === '' ? name : `${prefix} ${name}`;
    if (isObject(inner)) {
      if (name === 'attributes' || Array.isArray(inner.records) || depth > 2) continue;
      add(fields, inner, path, depth + 1);
      continue;
    }
    const text = scalar(inner);
    const key = keyOf(path);
    if (text === null || fields.has(key) || NOISE.test(key)) continue;
    fields.set(key, { label: humanised(path), value: text });
  }
}

/** Values by key, for `pick`. */
export function valuesOf(fields: ReadonlyMap<string, Field>): Map<string, string> {
  const values = new Map<string, string>();
  for (const [key, field] of fields) values.set(key, field.value);
  return values;
}
