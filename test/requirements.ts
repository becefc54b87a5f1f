/** What this program promises, each promise with what proves it. `requirements.test.ts` holds the two together. */

export type Proof =
  /** A test file and a distinctive part of the title of a test (or of its row of data) in it. */
  | { file: string; test: string }
  /** A row of bench/RESULTS.md by its letter and a part of its text. */
  | { bench: string; row: string }
  /** Seen by a person: one sentence that says what. */
  | { by: 'hand'; seen: string };

export interface Requirement {
  id: string;
  promise: string;
  proof: Proof[];
  /** One sentence: what of it does not hold yet, or has not been seen. */
  open?: string;
}

const t = (file: string, ...titles: string[]): Proof[] =>
  titles.map((test) => ({ file: `test/${file}.test.ts`, test }));
const bench = (id: string, ...rows: string[]): Proof[] => rows.map((row) => ({ bench: id, row }));
const hand = (seen: string): Proof[] => [{ by: 'hand', seen }];
const need = (id: string, promise: string, ...proof: Proof[][]): Requirement => ({ id, promise, proof: proof.flat() });

const START: Requirement[] = [
  need(
    '1.1',
    'A fresh checkout installs itself, once, whole or not at all, and again when the lock file changes',
    t('integration/local/launch', 'installs on a fresh checkout', 'installs again when the lock file', 'kill -9'),
  ),
  need(
    '1.2',
    'A start boots everything, prints the addresses, and drains on SIGTERM',
    t('integration/local/run', 'boots everything, says where it is, and drains on SIGTERM'),
  ),
  need(
    '1.3',
    'Downloads and builds show progress, can be broken off and repeated, and never look finished too early',
    t(
      'integration/local/components',
      'one killed in the middle of a download',
      'a build that is broken off',
      'downloads once, keeps it',
    ),
  ),
  need(
    '1.4',
    'It runs as root, also below a folder that only root may enter, and as any other user',
    t('integration/local/users', 'below a folder that only root may enter', 'starts from nothing, keeps its state'),
  ),
  need(
    '1.5',
    'A second start finds files, running workflows and keys as they were',
    t('integration/local/run', 'finds keys, rows and running workflows as they were'),
    t('e2e/control', 'leaves a paused file paused and goes on with the others'),
  ),
  need(
    '1.6',
    'No child outlives its parent, also after kill -9, nor one whose npm was ended',
    t('integration/local/run', 'kill -9 of the parent leaves no child'),
    t('integration/local/npm', 'kill -9 of npm'),
  ),
  need(
    '1.7',
    'A second start on a data folder in use says so in one line',
    t('integration/local/run', 'on a folder in use says so in one line'),
    t('local/lock', 'of many that find a stale one, exactly one gets it'),
  ),
  need('1.8', 'A child that dies alone is started again', t('integration/local/run', 'comes back when it dies alone')),
  need(
    '1.9',
    'A new start ends its own leftovers and nobody else’s process',
    t('integration/local/run', 'stops its own leftovers first and never a process that only has their number'),
  ),
  need(
    '1.10',
    'Wrong settings are named, all of them, and end with 2',
    t('integration/local/run', 'names every wrong setting and ends with 2'),
  ),
  need(
    '1.11',
    'The settings in force are shown without their secrets, and documented',
    t('cli/requests', 'config needs no running system and masks secrets'),
    t('e2e/doors', 'shows the settings in force without their secrets'),
    t('readme', 'the table of settings has every setting'),
  ),
  need(
    '1.12',
    'Two copies run side by side; a taken port gives one line',
    t('integration/local/run', 'runs beside another copy', 'names a taken port in one line'),
  ),
  need(
    '1.13',
    'Each component can be a real server, and the whole path works on real ones',
    t('integration/external/external', 'nothing embedded is started', 'a ZIP whose worker is killed and a CSV arrive'),
  ),
  {
    ...need(
      '1.14',
      'docker compose runs the whole house with health checks and volumes',
      hand('The compose file was read by its linter and its environment is the one that the external tests use.'),
    ),
    open: 'The file itself has not been run on a container engine.',
  },
];

const SKELETON: Requirement[] = [
  need(
    '2.1',
    'Rooms import one way and workflows are deterministic',
    t(
      'architecture',
      'rooms take values only from the rooms below them',
      'workflows take values only from names and failures',
      'workflows read no clock, no chance and no environment',
      'there is no import cycle',
    ),
  ),
  need('2.2', 'Only one file reads the environment', t('architecture', 'only schema/config.ts reads the environment')),
  need(
    '2.3',
    'In development a change of a source file reloads',
    t('integration/local/watch', 'is told once of a burst in any folder'),
  ),
  need(
    '2.4',
    'One declaration gives a documented route, and where chosen a tool',
    t('integration/api/http', 'documents every operation, with references that lead somewhere'),
    t('mcp/listed', 'can be listed by any client', 'promises nothing that contradicts itself'),
  ),
  need(
    '2.5',
    'Errors are problems with a code and never tell the inside',
    t('integration/api/http', 'answers 404, 405 with Allow, and 500 without a word of the inside'),
    t('integration/mcp/contract', 'never sees a stack or the text of a bug'),
  ),
  need(
    '2.6',
    'Health names each component, is 503 when a needed one is down, and shows details to operators only',
    t('api/health', 'names each component; a refused and a silent one are down', 'shows addresses and error texts'),
    t('api/health', 'says at /mcp/health no more than the status'),
  ),
  need(
    '2.7',
    'Metrics include those of the workers; they are open on loopback and need the token elsewhere',
    t('integration/api/http', 'shows metrics on loopback, and elsewhere for the token'),
    t('api/metrics', 'are found beside the API while the worker lives'),
  ),
  need(
    '2.8',
    'One trace joins request, workflow and activity',
    t('integration/api/tracing', 'joins the request, the workflow and its activity'),
  ),
  need(
    '2.9',
    'Every operation refuses without valid credentials',
    t('integration/api/access', 'without and with bad credentials'),
    t('e2e/story', 'a viewer reads and cannot upload; without a key nobody does anything'),
  ),
  need(
    '2.10',
    'Keys are shown once and stop when revoked; the first start makes one admin key',
    t('integration/api/access', 'are shown once, work, list without the secret', 'makes one key from two processes'),
  ),
  need(
    '2.11',
    'Tokens are taken with their clock skew; a browser gets a session cookie that only our pages can use',
    t('integration/api/access', 'takes a signed token', 'exchanges a key for a cookie'),
  ),
  need(
    '2.16',
    'Changes and refusals are in the audit log',
    t('integration/api/access', 'are shown once, work, list without the secret'),
  ),
  need(
    '2.17',
    'Objects, vectors and cache keep one contract, embedded and on real servers',
    t('integration/stores/s3', 'is what openObjects gives when S3_ENDPOINT is set'),
    t('integration/stores/weaviate', 'two processes may meet a missing collection at once'),
    t('integration/stores/redis', 'two processes share their entries'),
    t('stores/vectors/lance', 'a reader sees an absent table as empty'),
  ),
  need(
    '2.18',
    'A foreign Temporal namespace is made ready, or what is missing is said',
    t('integration/workers/prepare-namespace', 'registers one that is missing', 'says what it may not do, and goes on'),
  ),
  need('2.12', 'Guessing keys is slowed down', t('integration/api/access', 'slows down guessing')),
  need(
    '2.13',
    'Requests that name another host or come from another origin are refused',
    t('mcp/guard', 'never the wildcard address', 'a foreign origin is refused'),
  ),
  need(
    '2.14',
    'The Temporal Web UI is for operators, behind our sign-in, with payloads in clear',
    t('api/temporal-routes', 'is for operators and admins', 'opens what workflows sealed'),
  ),
  need(
    '2.15',
    'Outgoing calls reach no private address by any trick',
    t('clients/egress', 'written out and as the answer to a name', 'a name that answers differently the second time'),
    t('clients/egress', 'a redirect whose name now leads to a private address'),
  ),
];

const INGESTION: Requirement[] = [
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

const QUERY: Requirement[] = [
  need(
    '4.1',
    'Results carry marked text, score, and links to record and file',
    t('integration/query/search', 'matches are marked, everything else is escaped', 'links lead to the record and its'),
  ),
  need(
    '4.2',
    'Hybrid ranks at least as well as each single mode on fifty labelled questions',
    t('integration/query/relevance', 'hybrid ranks the labelled questions at least as well'),
  ),
  need(
    '4.3',
    'Date words become a filter that the answer shows',
    t('integration/query/search', 'date words limit the search and leave the text', 'explicit bounds win'),
  ),
  need(
    '4.4',
    'Answers are cached until new content of their sources lands, and never shared with who sees other content',
    t('integration/query/cache', 'new content of its sources makes it stale at once', 'another caller never gets'),
  ),
  need(
    '4.5',
    'The hit rate is in the metrics and every query tells its event',
    t('integration/query/cache', 'hits and misses are counted by mode', 'one event with exactly its fields'),
  ),
  need(
    '4.6',
    'Suggestions are at most five, own ones first',
    t('integration/query/context', 'hold the text in any case, own recent ones first, at most five'),
  ),
  need(
    '4.7',
    'The context document is true and the same from two processes, and idle without work',
    t('integration/query/context', 'is idle and empty at first', 'is the same from two processes'),
    t('e2e/story', 'is one from two API processes, while nothing runs and while a file does'),
  ),
  need(
    '4.8',
    'Clients of the 2026 era hear of its changes across processes',
    t('e2e/doors', 'a subscription hears of a change that came through another API process'),
  ),
  need('4.9', 'Owners do not see each other', t('e2e/story', 'do not see each other')),
  need(
    '4.10',
    'Pages follow each other without a gap or a repeat',
    t('integration/query/search', 'follow each other without a gap or a repeat, in every mode'),
  ),
];

const DOORS: Requirement[] = [
  need(
    '5.1',
    'Both protocol eras are served, proved by clients we did not write',
    t('integration/mcp/contract', 'speaks its own version'),
    t('integration/mcp/conformance', 'every scenario passes, the unscored ones too'),
  ),
  need(
    '5.2',
    'The tool list is short and cheap, and everything else can be found and called',
    t('mcp/tools', 'a list never holds more than 25 tools', 'a list stays under 6,000 tokens'),
    t('integration/mcp/contract', 'finds and calls what is not listed'),
  ),
  need(
    '5.3',
    'A long tool answers at once; for clients that speak tasks it is a task with the workflow’s id',
    t('integration/mcp/tasks', 'a client that declares tasks gets one, whose id is the workflow id'),
    t('e2e/doors', 'a client that speaks tasks gets the workflow as one'),
  ),
  need(
    '5.4',
    'A task survives every process, its cancel is the workflow’s, and only its owner sees it',
    t('e2e/doors', 'a task outlives every process'),
    t('integration/mcp/tasks', 'nobody else sees it, not even an admin'),
  ),
  need(
    '5.5',
    'Progress grows, and structured output fits its schema',
    t('integration/mcp/contract', 'gets growing progress', 'answers with structured content that its schema admits'),
  ),
  need(
    '5.6',
    'An unknown tool’s error lists the valid ones',
    t('integration/mcp/contract', 'is told the valid names when a tool does not exist'),
  ),
  need(
    '5.8',
    'No state between requests: a client goes on after a restart',
    t('integration/mcp/door', 'a 2025 client goes on after a restart with the session id it was given'),
  ),
  need(
    '5.7',
    'MCP works over stdio',
    t('e2e/doors', 'a client that starts `ostinato mcp` talks to the running system'),
  ),
  need(
    '6.1',
    'The command line ingests, watches, searches, lists and steers',
    t('e2e/doors', 'ingests, watches, and says in JSON lines what came of it', 'makes, lists and revokes keys'),
    t('cli/requests', 'workflows are listed, shown and cancelled', 'reads well on a terminal'),
  ),
  need(
    '6.2',
    'Tables on a terminal, JSON lines when piped',
    t('cli/requests', 'are JSON lines when piped', 'are tables on a terminal'),
  ),
  need(
    '6.3',
    'Exit codes are told, and scripts can use them',
    t('cli/requests', 'help lists the codes and ends with 0'),
    t('e2e/doors', 'has an exit code of its own'),
    t('readme', 'the exit codes are those of the command'),
  ),
  need(
    '6.4',
    'The demo ingests every sample and searches',
    t('cli/ingest', 'ingests every sample of every source, searches, and counts what failed'),
  ),
  need(
    '6.5',
    'The samples are small and are what their generator writes',
    t('parsers/sources/samples', 'are what the generator writes', 'stay small'),
  ),
];

const PROOF: Requirement[] = [
  need(
    '7.1',
    'A recorded history of every workflow replays, and a doctored one fails',
    t('replay/replay', '%s has one', '%s replays', '%s fails when doctored'),
  ),
  need(
    '7.2',
    'Retries and timeouts hold over skipped time',
    t('integration/time/retries', 'an outage of an hour is waited out', 'a step whose worker fell silent is run again'),
  ),
  need(
    '7.3',
    'After a kill of any process at any moment the outcome equals an undisturbed run',
    t('integration/crash', 'what is left equals an undisturbed run'),
    t('integration/stores/lance-kill', 'a killed writer loses nothing it had answered for'),
  ),
  need(
    '7.4',
    'Fuzzing with a fixed seed breaks no parser',
    t('parsers/fuzz', '%s %s, mutated'),
    t('parsers/sources/fuzz', 'holds against any JSON', 'holds against any row'),
  ),
  need('7.5', 'A small file needs at most 30 history events', t('replay/replay', 'is under 30 events')),
  {
    ...need('7.6', 'Ingestion is at least 0.7 of a bare script’s speed', bench('a', 'bare parse-and-COPY script')),
    open: 'On two cores the last recorded figure is below it: see bench/RESULTS.md.',
  },
  {
    ...need('7.7', 'Ingestion is at least five times as fast as dlt', bench('a', 'dlt')),
    open: 'On two cores the last recorded figure is below it: see bench/RESULTS.md.',
  },
  need(
    '7.8',
    'An MCP call costs at most 1.3 of a bare server’s, and more calls a second than the previous generation',
    bench('c', 'same SDK', 'previous SDK generation'),
  ),
  need(
    '7.9',
    'Hybrid search over 100,000 records is fast, right, and faster when cached',
    bench('d', 'hybrid query in process', 'hybrid query through HTTP', 'recall@10', 'cached query'),
  ),
  {
    ...need(
      '7.10',
      'Hybrid search over 1,000,000 vectors has a p95 under 100 ms',
      bench('e', 'hybrid query in process'),
    ),
    open: 'It is measured on demand (npm run bench -- --large) and no figure is recorded.',
  },
  {
    ...need(
      '7.11',
      'A small file is searchable within a second, near a bare workflow’s time',
      bench('f', 'small file'),
    ),
    open: 'No figure of it is recorded in bench/RESULTS.md yet.',
  },
  need('7.12', 'The README names only files that exist', t('readme', 'every file of the repository that it names')),
];

export const REQUIREMENTS: Requirement[] = [...START, ...SKELETON, ...INGESTION, ...QUERY, ...DOORS, ...PROOF];
