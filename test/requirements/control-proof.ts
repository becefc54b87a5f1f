/** What proves the control panel as a whole: recorded histories, skipped time, kills, hostile input, measures. */
import { bench, need, type Requirement, t } from './shape.ts';

export const CONTROL_PROOF: Requirement[] = [
  need(
    'p9.1',
    'Heartbeat loss, timeouts, approval deadlines and webhook backoff hold over skipped time',
    t('integration/agents/watch-time', 'a worker that falls silent is noticed'),
    t('integration/time/tasks', 'a silent agent is looked after when its lease runs out'),
    t('integration/time/pipelines', 'an approval that nobody decides', 'a try that took longer than it may counts'),
    t('integration/time/notifications', 'it is tried for a day'),
  ),
  need(
    'p9.2',
    'A thousand tasks of five agents all complete, each accepted once and no slot left over, while agents, worker, API and Temporal are killed',
    t('e2e/agents-crash', 'all end completed, each accepted once, however often something is killed'),
  ),
  need(
    'p9.3',
    'Six stages over a million rows give the same bytes while everything is killed',
    t('e2e/pipeline-crash', 'gives the same bytes, however often something is killed'),
  ),
  need(
    'p9.4',
    'A fuzzer driven by the OpenAPI document meets no 5xx and nothing undocumented',
    t('e2e/fuzz', 'meet no 5xx and nothing undocumented'),
    t('integration/limits/openapi', '%s names what the door itself may answer'),
  ),
  need(
    'p9.5',
    'Addresses of agents and webhooks lead nowhere private by any trick',
    t('integration/agents/register', 'http://127.0.0.1:9/task', 'a name that leads to a private address is refused'),
    t('clients/egress', 'written out and as the answer to a name', 'a name that answers differently the second time'),
    t('clients/agent-calls', 'a redirect leads nowhere', 'is somewhere that may not be called'),
    t(
      'integration/access/rebinding',
      'is not at a name that was public when it was given and is now %s',
      'is not at a name with a private address among public ones',
      'is at the address that was checked, though the name changes in the moment after',
      'is not at an address that says the same in other words',
      'of an agent asks the name that the call will ask',
    ),
  ),
  need(
    'p9.6',
    'Oversized and slow bodies, floods of messages and forged callbacks end with an answer',
    t('e2e/hostile', 'too large'),
    t(
      'integration/limits/slow',
      'headers that do not come, or crawl',
      'bodies that crawl hold up nobody',
      'never stops crawling',
    ),
    t('integration/live/protocol', 'close the socket when too large or too many', 'survive garbage on the wire'),
    t('clients/agent-calls', 'never answers, or answers a byte at a time', 'sends too much, announced or not'),
    t('integration/tasks/reports', '%s of another agent, of a caller'),
  ),
  need(
    'p9.7',
    'The engine runs six stages at 0.6 of a bare DuckDB script’s speed or better',
    bench('p-a', 'their engine alone'),
  ),
  {
    ...need(
      'p9.7b',
      'So does the whole system, from the request to the end of the run',
      bench('p-a', 'request to end'),
    ),
    open: 'Measured at 0.59: the database, the engine of workflows and the stages share two cores.',
  },
  need('p9.8', 'Tasks a second reach 0.7 of bare Temporal’s or better', bench('p-b', 'relative to bare workflows')),
  need('p9.9', 'Four agents do at least 3.6 times what one does', bench('p-c', 'on four agents')),
  need('p9.10', 'An agent hears of a task in at most 1.3 of a bare workflow’s time', bench('p-d', 'to the agent')),
  need('p9.11', 'Events reach a thousand sockets with a p99 under 200 ms', bench('p-e', 'sockets')),
];
