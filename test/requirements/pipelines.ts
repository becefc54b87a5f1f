/** Promises about pipelines, what their stages do with data, and who is told. */
import { need, type Requirement, t } from './shape.ts';

export const PIPELINES: Requirement[] = [
  need(
    'p3.1',
    'A pipeline of the wire contract is accepted, and any graph without a cycle of up to 50 stages',
    t(
      'services/pipelines/check',
      'the pipeline of the seed',
      'every field at once',
      'fifty stages, each after the one',
    ),
    t('integration/pipelines/data', 'the pipeline of the seed runs from a CSV to its outputs'),
  ),
  need(
    'p3.2',
    'A faulty one is refused with every fault listed: cycles, unknown indexes, duplicate names, unknown types, bad timeouts',
    t(
      'services/pipelines/check',
      'an unknown type',
      'a duplicate name',
      'a timeout over the bound',
      'every fault is told at once, under the one code',
    ),
    t('integration/cli/pipelines', 'every fault that the API finds stands at its place in the file'),
  ),
  need(
    'p3.3',
    'Changing one makes a version; runs keep theirs',
    t('integration/pipelines/flow', 'runs keep the version that they began with'),
  ),
  need(
    'p3.18',
    'A pipeline is deleted when no run of it is live; runs go with all they kept when their time is over',
    t('integration/pipelines/flow', 'runs keep the version that they began with'),
    t('integration/pipelines/keeping', 'when their time is over, runs go with all that they kept'),
  ),
  need(
    'p3.4',
    'A run is shown with stages, attempts, times, progress and where to see it in Temporal’s Web UI',
    t(
      'integration/pipelines/flow',
      'a run shows the tries and the workflow of its earlier attempts, and what was being tried when it was cancelled',
      'of very many tries the last 20 are shown',
    ),
    t('integration/pipelines/data', 'the sample pipeline runs over the sample data'),
    t('services/pipelines/views', 'a run leads to everything about it, Temporal’s Web UI too'),
    t('integration/pipelines/flow', 'a stage is tried again as often as it may, and attempts are counted'),
    t('cli/pipeline-runs', 'status shows the run, its stages and what waits'),
  ),
  need(
    'p3.5',
    'A run is paused, resumed and cancelled',
    t(
      'integration/pipelines/steering',
      'paused, nothing new begins; what runs ends; resumed, it goes on',
      'cancelled, what runs is stopped and waited for, and the run ends once',
    ),
  ),
  need(
    'p3.6',
    'A retry goes on from the failed stage with the outputs of the finished ones',
    t('integration/pipelines/flow', 'retry goes on from what failed, with what is finished left alone'),
  ),
  need(
    'p3.7',
    'Artifacts are listed and downloaded whole',
    t('integration/cli/pipelines', 'a file is run while it is watched, and what came out is downloaded whole'),
    t('integration/pipelines/keeping', 'over HTTP a pipeline is made, run and its artifact fetched by its own link'),
  ),
  need(
    'p3.8',
    'Stages run as soon as their dependencies are done, side by side where they can',
    t('integration/pipelines/flow', 'a diamond runs its arms side by side'),
  ),
  need(
    'p3.9',
    'A stage with required false may fail',
    t('integration/pipelines/flow', 'one that is not required may fail, and its dependents see it failed'),
  ),
  need(
    'p3.10',
    'Conditions: when runs a stage or skips it, by input, parameters and earlier results',
    t('integration/pipelines/flow', 'a condition skips a stage, templates carry values, and dependents run'),
    t('services/pipelines/expressions', 'templates keep the type when they stand alone, and are text inside text'),
    t(
      'services/pipelines/expression-pool',
      'many at once, hostile and not, all end',
      'what nests too deep or reads too much is refused before it is tried',
    ),
  ),
  need(
    'p3.11',
    'Recovery: on_failure fails, skips, continues, or runs a compensating stage',
    t(
      'integration/pipelines/flow',
      'a failure of a required stage fails the run with its name, and nothing new begins',
      'on_failure skip takes out what depends on it, and only that',
      'a compensating stage runs when its stage failed, and only then',
      'a compensating stage that fails itself leaves its stage failed',
      'a compensating stage asks for its approval, with the run failing or paused, and does nothing before',
      'a compensating stage does all its items, on every attempt of the run',
    ),
    t(
      'integration/time/pipelines',
      'a compensating stage that nobody approves is not run, whatever else fails meanwhile',
    ),
  ),
  need(
    'p3.12',
    'for_each does a list, so many at once, over as many runs of the workflow as it takes',
    t(
      'integration/pipelines/flow',
      'for_each runs an item of a list each, so many at once, with rows of their own',
      'a long list goes over several runs of the workflow, each item once',
      'hundreds of items end, under histories that stay short',
      'an item that fails fails the stage after all were tried, and a retry does the missing ones only',
    ),
    t('integration/pipelines/data', 'items make one table, and what follows reads it'),
  ),
  need(
    'p3.13',
    'Retries: as many as the stage allows, ever further apart, and none where none helps',
    t(
      'integration/time/pipelines',
      'tries are ever further apart, and no more than the stage allows',
      'what may never be tried again is not',
    ),
  ),
  need(
    'p3.14',
    'An approval waits for a decision by API, MCP or command line, and has a deadline',
    t('integration/pipelines/steering', 'a stage with an approval waits, and the first decision counts'),
    t('integration/time/pipelines', 'an approval that nobody decides fails its stage at its deadline, a week later'),
    t('integration/mcp/pipelines', 'a run that waits says for what'),
    t('integration/cli/pipelines', 'a run is watched over a restart of the API, and decided from another terminal'),
  ),
  need(
    'p3.15',
    'A stage of type operation runs any operation with what the caller may do, and no longer than the caller may',
    t(
      'integration/pipelines/steering',
      'an operation runs with what the caller may do, and is audited as theirs',
      'a key that loses its role or its life in the meantime takes its runs with it',
    ),
    t(
      'integration/pipelines/sharing',
      "operations of runs count against their caller's rate limit, and wait for it without failing or holding a place",
      'of many operations at once no more run than the limit allows, and the rest can be cancelled',
      "a caller's long list does not hold up another caller: they take turns",
    ),
    t('integration/limits/http', "counts as the caller's own, and leaves the last fifth for the caller's own hand"),
    t('services/limits/classes', 'comes again after the window, spread over five seconds'),
    t('services/limits/rate-limits', 'leave it of %i, here and to another process'),
  ),
  need(
    'p3.16',
    'Stages can be done by agents, and rows go to agents in batches',
    t(
      'integration/pipelines/agents',
      'a stage for an agent is a task of the run, and its answer is the stage’s output',
      'rows go to agents in batches and come back as one table',
      'a task that somebody else started is waited for in one step, and its end is at once that of the stage',
      'cancelled, a run takes a task with it that somebody else started',
      'rows that a payload does not hold are fetched by the agent that has the task, and by nobody else but its owner',
    ),
  ),
  need(
    'p3.17',
    'Progress of a run is told as it changes',
    t('integration/mcp/pipelines', 'a subscription to a run hears of each of its steps'),
    t('cli/pipeline-runs', 'tells each stage as it changes, and ends with 0'),
  ),
];

export const DATA: Requirement[] = [
  need(
    'p4.1',
    'data-ingestion reads CSV with its delimiter, JSON, NDJSON and Parquet',
    t(
      'activities/stages/ingestion',
      'delimiters, quotes, null strings, no header, encodings, compression',
      'JSON as array, lines or one object',
      'Parquet, and types that the schema asks for',
      'are kept aside with line and reason when they may be skipped',
    ),
  ),
  need(
    'p4.2',
    'It reads object keys, s3 addresses and prefixes, uploaded files, https addresses, inline rows and ingested records',
    t('activities/stages/data-access', 'two callers read what is open, and each what is its own'),
    t(
      'integration/stages/s3',
      'are read where they are named: by everybody what is open, by operators all',
      'are closed to all others, and no key of theirs can be tried out',
      'are closed to everybody where they are not named, and none is made',
    ),
    t('integration/pipelines/data', 'a key that nobody opened is read by an operator'),
    t(
      'activities/stages/ingestion',
      'many files of one prefix are one dataset',
      "other people's objects and what is not",
    ),
    t(
      'integration/stages/stores',
      "an uploaded file, which is its owner's",
      'an address, through the guard for outgoing calls',
      'gives its records back as a source, to their owner only',
    ),
  ),
  need(
    'p4.3',
    'transformation selects, renames, casts, derives, filters, deduplicates, joins, aggregates, or runs SQL',
    t(
      'activities/stages/transformation',
      'select, rename, cast, derive, filter, limit',
      'deduplicate keeps the first by order',
      'aggregate, in the order of its keys',
      'joins of every kind',
      'sees the inputs by name and the first as input',
    ),
  ),
  need(
    'p4.4',
    'analysis profiles, and gives quantiles, correlations, groups, outliers and time series',
    t(
      'activities/stages/analysis',
      'without a configuration profiles every column',
      'quantiles, correlations, outliers, groups and time series',
      'values more than so many deviations from the mean are outliers, on either side, with their rows',
      'a time series by %s counts each time once, in the bucket where it lies',
    ),
  ),
  need(
    'p4.5',
    'validation checks rules with thresholds and keeps failing rows aside with the reason',
    t(
      'activities/stages/analysis',
      'failing rows are kept aside with every reason, the others go on',
      'over the threshold it fails, and says where the rows are',
    ),
  ),
  need(
    'p4.6',
    'processing works in batches on parallel workers: SQL, an agent task, or embedding',
    t(
      'activities/stages/output',
      'without work the rows go on; batches are as the parameters say',
      'SQL sees one batch at a time, and the results are in order',
      'batches for agents go out as %s and come back as one',
      'embedding puts the vector of a text beside it',
    ),
  ),
  need(
    'p4.7',
    'output writes CSV, JSON and Parquet, a Postgres table, the search index, and a report with charts',
    t(
      'activities/stages/output',
      'files of every format, with columns and an order, and under a name of their own',
      'a report stands alone, draws, and escapes what the data says',
      'charts draw what the data says: bars, the line of a mean over time, and each point',
    ),
    t(
      'integration/stages/stores',
      'is replaced whole, with the types of its columns',
      'merged by another key, no longer holds what the earlier key forbade',
      'stays for good, unless a retention is set: then what was not written for so long goes',
      'takes rows as records of their owner, with vectors, and a repeat changes nothing',
    ),
  ),
  need(
    'p4.8',
    'SQL of users reaches no file, network or settings outside its inputs',
    t(
      'activities/stages/escapes',
      '%s is refused',
      'every other place for SQL is guarded the same way',
      'names of columns and values are quoted',
    ),
    t('activities/stages/engine', 'even SQL that nobody judged cannot reach anything, nor change that'),
  ),
  need(
    'p4.9',
    'SQL without measure meets its limits of memory, time and temporary space',
    t('activities/stages/escapes', '%s ends by the limit of its %s', 'a cancelled stage ends at once'),
  ),
  need(
    'p4.10',
    'A repeat, other threads, another object store, or a worker or engine killed in the middle change no byte',
    t('integration/stages/s3', 'every type gives the same bytes'),
    t('integration/pipelines/kill', 'worker and engine are killed in the middle'),
    t(
      'integration/stages/repeat',
      'threads and repeats change nothing',
      'a worker killed in the middle leaves nothing that changes the repeat',
    ),
  ),
];

export const NOTIFICATION: Requirement[] = [
  need(
    'p5.1',
    'Webhooks are signed so that their receiver can tell, and tell of ends, failures and approvals that wait',
    t(
      'integration/notifications/delivery',
      'a webhook is signed so that its receiver can tell, and delivered once',
      'the end of a failed run, and an approval that waits, are told too',
    ),
  ),
  need(
    'p5.2',
    'They are tried for a day, ever later, then listed as undelivered, and can be replayed',
    t('integration/time/notifications', 'it is tried for a day, ever later, and then given up'),
    t(
      'integration/notifications/durable',
      'a worker that is killed while the receiver has the request: it arrives again under the same id',
      'rows whose workflow nobody started are started by the reconciler, and delivered',
    ),
    t(
      'integration/notifications/delivery',
      '410 ends it at once, it is listed and told as undelivered, and can be replayed',
    ),
    t('cli/pipelines', 'notifications are listed and replayed'),
  ),
  need(
    'p5.3',
    'E-mail goes out by SMTP, under an id that a repeat shares',
    t('integration/notifications/delivery', 'mail goes out under an id that a repeat shares'),
  ),
  need(
    'p5.4',
    'Addresses that are not public are refused before anything runs, and again when they are called',
    t('integration/notifications/delivery', '%j is refused before anything runs'),
    t('clients/egress', 'a name that answers differently the second time'),
  ),
];
