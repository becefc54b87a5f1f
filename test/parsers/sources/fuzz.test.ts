/** Values that no vendor ever wrote: a parser reports them or reads them, and never gives a record off the contract. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sourceParsers } from '../../../src/parsers/sources/index.ts';
import { SOURCE_MAPPINGS, SOURCES, type Source } from '../../../src/schema/names.ts';
import type { ParsedRecord } from '../../../src/schema/records.ts';
import { RecordError, started } from './read.ts';

const SEED = 20_260_321;
const RUNS = 400;

/** Names that the parsers look for, so that chance gets past their first doors. */
const KEYS: Readonly<Record<Source, readonly string[]>> = {
  slack: [
    'ts',
    'type',
    'text',
    'user',
    'subtype',
    'blocks',
    'elements',
    'attachments',
    'files',
    'file',
    'id',
    'name',
    'thread_ts',
    'message',
    'room',
    'reactions',
    'edited',
    'profile',
    'team_id',
    'members',
    'fields',
    'title',
    'initial_comment',
    'ok',
    'channels',
  ],
  gong: [
    'metaData',
    'id',
    'callId',
    'transcript',
    'sentences',
    'start',
    'text',
    'speakerId',
    'parties',
    'content',
    'trackers',
    'topics',
    'name',
    'count',
    'pointsOfInterest',
    'actionItems',
    'brief',
    'outline',
    'items',
    'call',
    'calls',
    'context',
    'objects',
  ],
  salesforce: [
    'attributes',
    'type',
    'Id',
    'Name',
    'LastName',
    'Email',
    'AccountId',
    'records',
    'Contacts',
    'StageName',
    'CloseDate',
    'Company',
    'Owner',
  ],
  looker: [
    'dashboard_elements',
    'dashboard_filters',
    'id',
    'title',
    'query',
    'view',
    'fields',
    'look',
    'result_maker',
    'data',
    'rows',
    'value',
    'rendered',
    'filters',
    'body_text',
    'vis_config',
  ],
  hubspot: [
    'id',
    'properties',
    'associations',
    'contacts',
    'results',
    'engagement',
    'metadata',
    'dealname',
    'firstname',
    'hs_note_body',
    'hs_timestamp',
    'name',
    'createdAt',
    'objectType',
  ],
};
const WORDS = [
  '1741082400.000200',
  'message',
  'Account',
  'bot_message',
  'message_changed',
  'rich_text',
  '2025-03-04',
  '001D000000IRFma',
  '',
  ' ',
  '<@U1|x>',
  '&amp;',
  '<b>&#0;&#x110000;</b>',
  '\ud800',
  '\u0000',
  '__proto__',
  'NaN',
  '9'.repeat(400),
];

function value(source: Source): fc.Arbitrary<unknown> {
  const key = fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(...KEYS[source]) },
    { weight: 1, arbitrary: fc.string() },
  );
  const leaf = fc.oneof(
    fc.constantFrom(...WORDS),
    fc.string({ unit: 'binary' }),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 5, depthIdentifier: 'json' },
      leaf,
      fc.array(tie('tree'), { maxLength: 4, depthIdentifier: 'json' }),
      fc.dictionary(key, tie('tree'), { maxKeys: 6, depthIdentifier: 'json' }),
    ),
  }));
  return fc.oneof(fc.dictionary(key, tree, { maxKeys: 10 }), tree);
}

function holds(source: Source, read: () => Iterable<ParsedRecord>): void {
  const types: readonly string[] = SOURCE_MAPPINGS[source].content_types;
  try {
    for (const record of read()) {
      expect(record.external_id).not.toBe('');
      expect(record.text.trim()).not.toBe('');
      expect(types).toContain(record.content_type);
      if (record.occurred_at !== null) expect(new Date(record.occurred_at).toISOString()).toBe(record.occurred_at);
      const written = JSON.stringify(record);
      expect(JSON.parse(written)).toEqual(record);
      expect(written).not.toMatch(/\\u0000|\\ud[89a-f]/);
    }
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
  }
}

describe.each(SOURCES)('%s', (source) => {
  const at = { entry: 'folder/upload.json', line: 1, key: null };

  it('holds against any JSON', () => {
    fc.assert(
      fc.property(value(source), fc.constantFrom(null, ...sourceParsers[source].collections), (json, key) => {
        const upload = started(sourceParsers[source], ['folder/upload.json', 'folder/calls.json']);
        holds(source, () => upload.json(json, { ...at, key }, {}));
      }),
      { seed: SEED, numRuns: RUNS },
    );
  });

  it('holds against any list fed first', () => {
    fc.assert(
      fc.property(
        value(source),
        value(source),
        fc.constantFrom('users.json', 'channels.json', 'dms.json', 'calls.json'),
        (list, json, name) => {
          const upload = started(sourceParsers[source], [name, 'folder/upload.json']);
          upload.lookup({ name, format: 'json', size: 1 }, list);
          expect(['string', 'object']).toContain(typeof upload.account());
          holds(source, () => upload.json(json, at, {}));
          holds(source, () => upload.json(json, { ...at, entry: name }, {}));
        },
      ),
      { seed: SEED, numRuns: RUNS },
    );
  });

  it('holds against any row', () => {
    const titles = fc.constantFrom(
      'Id',
      'Record ID',
      'Name',
      'First Name',
      'Email',
      'Call ID',
      'Text',
      'Start',
      'Stage',
      'Close Date',
      'Deal Name',
      'x',
    );
    const cell = fc.oneof(fc.constantFrom(...WORDS), fc.string({ unit: 'binary' }));
    fc.assert(
      fc.property(fc.dictionary(titles, cell, { maxKeys: 8 }), (row) => {
        const upload = started(sourceParsers[source], ['upload.csv']);
        holds(source, () => upload.row(row, Object.keys(row), { entry: 'upload.csv', line: 2, key: null }));
      }),
      { seed: SEED, numRuns: RUNS },
    );
  });
});
