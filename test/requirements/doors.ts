/** Promises about asking, the doors, and what is measured. */
import { bench, hand, need, type Requirement, t } from './shape.ts';

export const QUERY: Requirement[] = [
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

export const DOORS: Requirement[] = [
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

export const PROOF: Requirement[] = [
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
  need('7.6', 'Ingestion is at least 0.7 of a bare script’s speed', bench('a', 'bare parse-and-COPY script')),
  {
    ...need('7.7', 'Ingestion is at least five times as fast as dlt', bench('a', 'dlt')),
    open: 'The bare COPY into tables with a full-text index is itself under five times as fast as dlt into plain ones.',
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
  need('7.10', 'Hybrid search over 1,000,000 vectors has a p95 under 100 ms', bench('e', 'hybrid query in process')),
  need('7.11', 'A small file is searchable within a second, near a bare workflow’s time', bench('f', 'small file')),
  need(
    '7.12',
    'The README names only files that exist',
    t('readme', 'every file of the repository that it and the pages'),
  ),
  need(
    '7.13',
    'The tours of the README work as they are written',
    hand('Each command was run, from an empty data folder, and what it printed was pasted.'),
  ),
];
