/** Promises about starting, settings and the skeleton. */
import { need, type Requirement, t } from './shape.ts';

export const START: Requirement[] = [
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
      t('compose', 'every setting is one of the schema, and together they are valid'),
      t('integration/external/external', 'nothing embedded is started'),
    ),
    open: 'The file itself has not been run on a container engine.',
  },
];

export const SKELETON: Requirement[] = [
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
