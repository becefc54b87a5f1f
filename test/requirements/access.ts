/** Promises about the live stream, many callers at once, and what is seen of the house from outside. */
import { need, type Requirement, t } from './shape.ts';

export const LIVE: Requirement[] = [
  need(
    'p6.1',
    'A socket signs in by a message within its time, with key, JWT or session, and its end comes with the credential’s',
    t(
      'integration/live/protocol',
      'takes a key, a JWT, and the session cookie of a page of its own',
      'closes 4401 for a bad token and for none in time',
      'ends with the key, and with the JWT',
    ),
  ),
  need(
    'p6.2',
    'The four event types carry exactly their fields and seq; every other event travels as event',
    t('integration/live/protocol', 'have exactly the fields of their type and seq; other events travel as `event`'),
  ),
  need(
    'p6.3',
    'subscribe narrows, with filters',
    t('integration/live/protocol', 'let through what one of them wants, from then on'),
    t('integration/live/visibility', 'filters', 'of no subscription at all let nothing through'),
  ),
  need(
    'p6.4',
    'resume goes on after a seq; where the events are gone, the gap is told',
    t(
      'integration/live/resume',
      'goes on after the last event, also when asked only once the server is ready, while others write',
      'tells of a gap when events after the place were pruned',
    ),
  ),
  need(
    'p6.5',
    'A caller sees its own, what it was granted, and nothing else',
    t('integration/live/visibility', 'who sees what'),
    t(
      'integration/pipelines/steering',
      'a grant on a pipeline, a run or its workflow opens what waits, what was told and what is heard of it, in lists too',
    ),
    t('integration/pipelines/agents', 'what an agent fails with fails the stage, after its own tries'),
  ),
  need(
    'p6.6',
    'No reader misses an event that commits late, whichever of two processes it reads from',
    t(
      'integration/live/order',
      'are told in the order of the log, the late one first, on every server and both ways',
      'are heard once and in order by readers that stay, that come back elsewhere, and that fall behind',
    ),
  ),
  need(
    'p6.7',
    'Slow readers are cut off with a code, and little is held for them',
    t('integration/live/limits', 'is closed 4008 after a while, with little held for it'),
  ),
  need(
    'p6.8',
    'Dead peers are found, and sockets and streams are limited per caller and in all, over all processes',
    t(
      'integration/live/limits',
      'find peers that are gone and leave those that answer',
      'are limited per caller',
      'are limited in all: 503 at the upgrade',
    ),
    t(
      'integration/limits/connections',
      'sockets and streams of a caller share its limit through two servers',
      'all of them are limited together: 503 for a socket and for a stream',
      'is exact when three processes take at once',
      'what a dead process held is free when its lease is over',
      'of those that nobody signed in over all processes there are half at most',
      'two servers full of sockets that do not sign in let a caller in',
      'a process that stops in the middle of a settlement holds up neither the others nor itself for long',
    ),
  ),
  need('p6.9', 'A thousand sockets hear one event', t('integration/live/limits', 'all hear the one event')),
  need(
    'p6.10',
    'The same stream is there as server-sent events, resumable by Last-Event-ID',
    t('integration/api/events', 'filters by name, resumes by Last-Event-ID, and refuses an unreadable cursor'),
    t('integration/live/visibility', 'hold for SSE too'),
  ),
  need(
    'p6.11',
    'Two API processes are one to a client: heard through either, resumed on the other, limited over both',
    t(
      'integration/live/processes',
      'a client of one hears what is made through the other',
      'nothing is lost or doubled for a client whose process is killed',
      'one limit of a caller holds for the sockets and calls of both',
    ),
  ),
];

export const CALLERS: Requirement[] = [
  need(
    'p7.1',
    'JWTs are taken under our own secret and from an issuer, with audience and clock checks',
    t('integration/api/access', 'takes a signed token, with 30 seconds of clock skew'),
    t(
      'integration/access/issuer',
      'gets in, signed with %s by the issuer itself',
      'must be meant for our own address when no audience is configured',
      'may be off by 30 seconds of clock, in each direction',
    ),
  ),
  need(
    'p7.2',
    'A user service at FLASK_API_URL, or any introspection address, verifies a token and gives its user and roles, kept for a minute at most',
    t(
      'integration/access/external',
      'is told of once for every form of its answer',
      'is believed for a minute at most, and no longer than it says',
      'by a real authorization server gives the client and its role',
      'that is %s is an outage: never a yes, and not a no',
    ),
  ),
  need(
    'p7.3',
    'Outgoing calls prove themselves with stored credentials, OAuth2 client credentials among them',
    t(
      'integration/access/credentials',
      'gets a token by client credentials, once for all who want it',
      'carries basic and header credentials as they were given',
    ),
  ),
  need(
    'p7.4',
    'Tokens are stored as hashes, secrets are sealed and never shown',
    t('integration/access/credentials', 'store a secret that no answer, row or audit entry shows'),
    t('services/access/seal', 'does not open with any bit of it changed, or cut short'),
    t('integration/access/agent-tokens', 'is stored as a hash only'),
    t('integration/access/reseal', 'seals anew what the old key sealed', 'is done by an API that starts with both'),
  ),
  need(
    'p7.5',
    'Roles and grants on one resource are checked in operations, for every operation',
    t(
      'integration/access/every-operation',
      '$name is not for $role',
      '$name hides them from $role, and not from their owner',
      '$name opens by a grant: to look by read, to change by write',
    ),
  ),
  need(
    'p7.6',
    'Every operation and every other door refuses no, wrong, expired and other people’s credentials',
    t('integration/access/every-operation', 'no operation takes', 'that would have worked with one thing right'),
    t(
      'integration/access/every-door',
      'no door is forgotten',
      'no door takes',
      'gets no further than it may',
      'are not shown by a stream or a socket that asks for them by name',
      'are not found through MCP: by a tool, as a task, or as a resource',
    ),
  ),
  need(
    'p7.7',
    'Admins read the audit log by filters and in pages',
    t('integration/access/audit', 'with %j gives those entries, newest first, in pages too'),
  ),
  need(
    'p7.8',
    'Requests are limited per caller and class, over all processes, and a refusal says when to come back',
    t(
      'integration/limits/http',
      'the class %s lets exactly its limit through',
      'the fields stand on every answer behind authentication, and count down',
      'a refusal says when to come back',
    ),
    t('integration/limits/shared', 'holds one limit over two processes that are called at once'),
    t('integration/limits/processes', 'never grants more than the limit'),
  ),
  need(
    'p7.9',
    'Callers have so many tasks a day',
    t('integration/limits/quotas', 'is exact when everybody takes at once'),
    t('integration/tasks/limits', 'a caller has so many tasks a day, and is told when there are more'),
  ),
  need(
    'p7.10',
    'The API speaks TLS, and takes a renewed certificate without a restart',
    t(
      'integration/tls/api',
      'answers requests, large bodies too, and knows its own scheme',
      'speaks TLS 1.2 and 1.3 and nothing older',
      'carries WebSockets',
      'serves a new certificate after SIGHUP',
    ),
    t('integration/tls/system', 'serves the command line that trusts its authority'),
  ),
  need(
    'p7.11',
    'Postgres, Redis, S3, Temporal, Weaviate and the mail server are reached over checked TLS, and refused under another authority',
    t(
      'integration/tls/outgoing',
      'is reached over checked TLS with sslmode=%s',
      'is reached with rediss: and TLS_CA',
      'is reached with an https endpoint and TLS_CA',
      'is reached with TLS_CA and a client certificate',
    ),
    t('integration/tls/weaviate', 'is reached with its own authority, and refused under another'),
    t(
      'integration/tls/processes',
      'a file is ingested by them, and heard of as it goes',
      'under another authority a process does not start on that Postgres, and does not believe that Temporal',
    ),
    t('integration/notifications/mail', 'is signed in to with user and password, over TLS that is checked'),
  ),
  need(
    'p7.12',
    'Metrics tell agents by status and load, and the queue by priority',
    t('integration/limits/load', 'tell agents by status and load, the queue by priority, and what runs'),
  ),
  need(
    'p7.13',
    'Metrics tell times of tasks and stages, ends of runs, and failures by code',
    t('integration/pipelines/metrics', 'runs, stages and tasks are counted and timed by type and outcome'),
    t(
      'integration/api/failures',
      'refused credentials, sockets, streams and unknown paths',
      'a failed ingestion, once however often its end is repeated',
      'a notification that was given up',
    ),
    t('integration/workers/metrics', 'the worker tells of the work itself, to whoever has the token'),
    t('api/metrics', 'of another machine on the same folder are left to it: not asked here, not removed'),
    t('compose', 'Prometheus reaches the API and every worker itself'),
  ),
  need(
    'p7.14',
    'The audit log and events are kept for their own time; logs are JSON lines at a level, and rotated',
    t('integration/limits/retention', 'keeps each kind of row for its own time'),
    t(
      'logging',
      'every line is JSON with its time, level, process and words, and holds no secret',
      'a level leaves out',
    ),
    t('local/logs', 'rotates by size and keeps three old ones'),
  ),
  need(
    'p7.15',
    'The use of resources is told: of our own processes in the metrics, of agents in their heartbeats',
    t('metrics', 'processor, memory and the lag of the loop are told'),
    t('integration/agents/register', 'heartbeats carry load and resources'),
  ),
];

export const CONTROL_DOORS: Requirement[] = [
  need(
    'p8.1',
    'MCP: agents, tasks, pipelines and approvals have tools, and the list stays short and cheap',
    t('mcp/listed', 'the list is the short one, and cheap', '$name promises nothing that contradicts itself'),
    t('mcp/tools', 'a list stays under 6,000 tokens', 'a list never holds more than 25 tools'),
  ),
  need(
    'p8.2',
    'Running a pipeline is a task for clients that speak tasks',
    t(
      'integration/mcp/pipelines',
      'a run is a task whose end holds the run',
      'a run that waits for an approval asks a client that can ask its user, and takes the answer',
      'a run that waits says for what; cancelling the task cancels the run',
    ),
  ),
  need(
    'p8.3',
    'A run and its artifacts are resources',
    t('integration/mcp/pipelines', 'a run and what it made are read by address; what is large is a link'),
  ),
  need(
    'p8.4',
    'A prompt drafts a pipeline',
    t('integration/mcp/contract', 'picks a prompt that drafts a pipeline'),
    t('mcp/prompts', 'the example is a pipeline without a fault'),
  ),
  need(
    'p8.5',
    'The command line runs a file with a live view of its stages, and goes on over a restart of the API',
    t('cli/stages', 'a run is drawn on the terminal'),
    t('integration/cli/pipelines', 'a run is watched over a restart of the API'),
  ),
  need(
    'p8.6',
    'Pipeline files are YAML or JSON, and every fault stands at its place',
    t('cli/pipeline-file', 'YAML and JSON say the same', 'every fault at once'),
    t('cli/pipelines', 'faults end with 2, each with line and column'),
  ),
  need(
    'p8.7',
    'The command line registers and steers agents, and submits and follows tasks',
    t('integration/cli/pipelines', 'an agent is registered, drained', 'a task is submitted and watched to its end'),
  ),
];
