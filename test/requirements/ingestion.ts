/** Promises about bringing files in. */
import { bench, need, type Requirement, t } from './shape.ts';

export const INGESTION: Requirement[] = [
  need(
    '3.1',
    'An upload streams, is bounded, and when broken leaves nothing',
    t(
      'integration/api/http',
      'stop at MAX_UPLOAD_BYTES while streaming',
      'tell the operation when the form is cut off',
    ),
    t('e2e/hostile', 'a little over the limit is refused, a little under is taken'),
  ),
  need(
    '3.2',
    'The same bytes of one owner and source are one file, until it failed or was deleted, also at one moment',
    t('e2e/story', 'are the same file for the same owner and source', 'sent eight times at once are one file'),
  ),
  need(
    '3.3',
    'An Idempotency-Key leads to the same file, and is refused with another body',
    t('e2e/story', 'an Idempotency-Key leads to the same file'),
  ),
  need(
    '3.4',
    'Overlapping exports share their records; deletion takes out what nobody else brought',
    t('e2e/story', 'share their records; deleting one keeps the shared ones'),
    t('integration/ingestion/races', 'a record that another file rewrites while it is embedded'),
  ),
  need(
    '3.5',
    'Import takes an object key or an address, and gets through bad servers',
    t('e2e/control', 'takes an object key under imports/', 'gets through a server that is slow, cut off'),
  ),
  need(
    '3.6',
    'Pause, resume, cancel and retry work in every step and survive a restart',
    t(
      'e2e/control',
      'holds an ingestion in both of its long steps',
      'takes out what came in; retry brings it in whole',
    ),
    t('integration/time/steering', 'what is paused stays paused for a month, and then goes on'),
  ),
  need(
    '3.7',
    'Deletion takes rows, vectors and bytes, also in the middle of an ingestion',
    t('e2e/control', 'deleting in the middle leaves nothing'),
  ),
  need(
    '3.8',
    'Events have exactly their fields, in order, and streams resume',
    t('e2e/story', 'the event stream tells each file in order', 'a cut stream goes on behind the last event'),
    t('integration/api/events', 'gives every event once and in order to a reader that leaves and comes back'),
  ),
  need(
    '3.9',
    'Records are listed page by page, each once',
    t('e2e/story', "a file's records come page by page, each once"),
  ),
  need(
    '3.10',
    'Every sample of the five sources completes with what it holds',
    t('e2e/story', 'every file of the five sources completes with what it holds'),
    t('parsers/sources/samples', 'hold every content type of every source', 'reads without a fault'),
  ),
  need(
    '3.11',
    'Parsing holds little memory, and the worker stays under 512 MB',
    t('performance/parsers-memory', '200 MB of %s in bounded memory'),
    bench('b', 'worker memory peak'),
  ),
  need(
    '3.12',
    'Parsing goes on from every checkpoint as the whole run did',
    t('parsers/parse-upload', 'goes on from every batch'),
    t('parsers/readers/zip', 'a large entry goes on from every batch and can be left early'),
  ),
  need(
    '3.13',
    'ZIPs of many entries and mixed formats are read',
    t('parsers/readers/zip', 'thousands of small entries'),
    t('parsers/inspect', 'an archive counts the entries worth reading'),
  ),
  need(
    '3.14',
    'Unreadable records are counted, the first hundred named by place, and do not fail the file',
    t('parsers/parse-upload', 'errors are kept by name up to 100 and counted beyond', 'names the bad ones by line'),
  ),
  need(
    '3.15',
    'A file without a good record fails with code and detail',
    t('e2e/control', 'content that is at fault fails with code and detail'),
  ),
  need(
    '3.16',
    'Slack: messages of every kind, threads, files of both kinds, lists, readable text',
    t(
      'parsers/sources/slack',
      'make a reply the child of its root',
      'of the old kind too',
      'a huddle says who was in it',
    ),
    t('parsers/sources/slack', 'channels, groups and direct messages become records', 'integration logs tell who'),
  ),
  need(
    '3.17',
    'Gong: calls, transcripts by turn, insights, CSV',
    t(
      'parsers/sources/gong',
      'give one call_metadata record',
      'give a record a turn',
      'reads a row a call in any column',
    ),
  ),
  need(
    '3.18',
    'Salesforce: CSV in any column order, query results with relationships, bulk',
    t('parsers/sources/salesforce', 'of Data Loader reads in any column order', 'give the record and those of its sub'),
    t('parsers/readers/csv', 'Windows-1252 far behind plain ASCII', 'a quote that never closes names the line'),
  ),
  need(
    '3.19',
    'Looker: dashboards, query results, PDF by page',
    t(
      'parsers/sources/looker',
      'have a visualization per tile',
      'are a readable record a row',
      'gives a dashboard record a',
    ),
  ),
  need(
    '3.20',
    'HubSpot: portal CSV and the objects API, meeting in one id',
    t('parsers/sources/hubspot', 'reads contacts with their company', 'meets the same contact of the API in one id'),
  ),
  need(
    '3.21',
    'Disguised and wrong types are refused by content',
    t('e2e/hostile', 'a program called .json', 'a web page called .csv', 'an archive without exports'),
  ),
  need(
    '3.26',
    'An admitted upload keeps its bytes although its start broke',
    t('integration/ingestion/races', 'an upload whose admission stands keeps its bytes'),
  ),
  need(
    '3.27',
    'An index that was lost is made anew from the rows',
    t('integration/ingestion/late-vectors', 'an index that was lost is made anew from the rows'),
  ),
  need('3.22', 'Empty files are refused', t('e2e/hostile', 'nothing', 'an archive of nothing')),
  need(
    '3.23',
    'Archives: encrypted, bombs of every kind, climbing paths, links and truncation are refused',
    t('e2e/hostile', 'an encrypted archive', 'a bomb by ratio', 'a bomb by size', 'a bomb by count'),
    t('e2e/hostile', 'an archive in an archive', 'a path that climbs', 'an absolute path', 'a link'),
    t('e2e/hostile', 'a truncated archive'),
  ),
  need(
    '3.24',
    'Text: invalid UTF-8, NUL characters, deep JSON and records over the limit',
    t('e2e/hostile', 'invalid UTF-8', 'a NUL character further on', 'a record over the limit'),
    t('parsers/hostile', 'a million brackets'),
  ),
  need(
    '3.25',
    'An outage of the embedder is waited out; without one a file completes and gets its vectors later',
    t('integration/ingestion/late-vectors', 'an outage of the embedder is waited out', 'without an embedder a file'),
  ),
];
