/** Promises about agents and the tasks that they, or the house itself, do. */
import { need, type Requirement, t } from './shape.ts';

export const AGENTS: Requirement[] = [
  need(
    'p1.1',
    'An agent registers with name, type, capabilities, endpoints and resources, and gets its id, its own token once, and how often to heartbeat',
    t(
      'integration/agents/register',
      'takes the body of the seed and answers with a token that is stored as a hash',
      'of the same name at once makes one agent',
    ),
  ),
  need(
    'p1.2',
    'Registering again with its token updates; somebody else’s name is a conflict',
    t(
      'integration/agents/register',
      'by its own token: updates, and the token stays',
      'by whoever registered it: updates, ends the token',
      "with somebody else's name: conflict",
    ),
  ),
  need(
    'p1.3',
    'At most MAX_AGENTS are registered, and one more is refused with a code',
    t('integration/agents/register', 'MAX_AGENTS holds when many come at once'),
  ),
  need(
    'p1.4',
    'Agents are listed as the wire contract shows them, filtered by status, type and capability, in pages',
    t('integration/agents/register', 'has the shape of the seed, filters, and pages without gaps'),
    t('cli/agents', 'list asks with its filters and shows a table, or lines'),
  ),
  need(
    'p1.5',
    'They are looked at, drained, activated, given another token and deleted, by those who may',
    t(
      'integration/agents/register',
      'addresses, labels and tasks are shown to those who may change the agent',
      'who may change what',
      'drain and activate, also twice, are one event each',
      'a new token ends the old one',
      'a deleted agent is gone, its token is dead, its name is free',
    ),
  ),
  need(
    'p1.6',
    'A token of an agent may do what an agent may and nothing else, and is told apart by its first letters',
    t('integration/access/agent-tokens', 'stands for the agent, is told from a key by its first letters'),
    t('integration/access/every-operation', 'of an agent can do nothing but its own work'),
    t('e2e/agents', 'a replaced token is dead, and a living one does nothing for other agents'),
  ),
  need(
    'p1.7',
    'Heartbeats carry load and resources, and their changes are events, not too many',
    t('integration/agents/register', 'heartbeats carry load and resources; steps of the load add up to an event'),
    t('integration/agents/watch', 'a load that crept up is told by the next round'),
  ),
  need(
    'p1.8',
    'Health: active, degraded, unhealthy, offline and draining follow from heartbeats and health checks',
    t('services/agents/status', 'heartbeats', 'health checks', 'draining stays whatever else is wrong'),
    t(
      'integration/agents/watch',
      'one that never heartbeats lives by its health endpoint, and is gone with it',
      'every status on the way to offline and back is told once',
      'health that fails and recovers shows in the status',
    ),
  ),
  need(
    'p1.9',
    'The watch over agents is durable and goes on after its worker dies, and after an outage of everything nobody is called offline too early',
    t('integration/agents/watch-time', 'a worker that falls silent is noticed after 10 s, and another goes on'),
    t('integration/agents/watch', 'after everything was down nobody is called offline before the living had time'),
  ),
  need(
    'p1.10',
    'Tasks of an agent that went offline, or was deleted, move to another',
    t('e2e/agents', 'moves the task of an agent that is killed to another'),
    t('integration/agents/watch', 'tasks of a deleted agent are told too'),
  ),
  need(
    'p1.11',
    'An agent that drains finishes what it has and gets nothing more',
    t('e2e/agents', 'lets an agent that is told to stop finish what it has, and gives it nothing more'),
  ),
  need(
    'p1.12',
    'Push: a task is posted, signed, with a deadline and where to call back; 200 brings the result, 202 a later call',
    t(
      'integration/agents/calls',
      'a task comes signed with the token of the agent, with addresses to call back',
      'its owner’s credential goes along',
    ),
    t('clients/agent-calls', 'gives the signature of the specification for its own example', '202, whatever it says'),
    t('e2e/agents', 'push, calling back', 'push, answering at once', 'an agent believes only what is signed'),
  ),
  need(
    'p1.13',
    'A quiet agent is asked at its status endpoint, and what it says counts',
    t(
      'integration/tasks/flow',
      'an agent that goes quiet is asked how it goes; what it says counts',
      'an agent that falls silent is asked, and its task moves on when it knows nothing',
    ),
    t('integration/time/tasks', 'a silent agent is looked after when its lease runs out, asked once, and then lost'),
  ),
  need(
    'p1.14',
    'Pull: tasks are claimed by long poll under a lease that progress renews; a repeated claim leads to the same tasks',
    t('integration/tasks/flow', 'an agent that pulls waits for its task and completes it'),
    t(
      'integration/tasks/reports',
      'progress tells at most one event a second, and renews the lease',
      'a claim repeated with its id is answered with the same tasks',
      'only the agent itself claims, and one that hangs up takes nothing',
    ),
    t('integration/tasks/queue', 'parallel claims never share a task'),
    t('e2e/agents', 'pull'),
  ),
  need(
    'p1.15',
    'Callbacks count only from the assigned agent for the current attempt; late and repeated ones are answered and ignored',
    t(
      'integration/tasks/reports',
      '%s of another agent, of a caller, and of an attempt that never was changes nothing',
      'an earlier attempt that went to somebody else is answered and ignored',
      'an accepted word whose process died before it told the workflow is found',
    ),
  ),
  need(
    'p1.16',
    'Exactly one completion is accepted, also across continue-as-new',
    t('integration/tasks/reports', 'of many last words at once, the same and different, exactly one is accepted'),
    t('integration/time/tasks', 'a long one continues as new and still takes one report'),
    t('integration/tasks/flow', 'an agent that answers 202 calls back, and only its first word counts'),
  ),
  need(
    'p1.17',
    'The choice of an agent goes by capabilities, then least load for its resources, ties by chance; validators validate, orchestrators are asked for',
    t(
      'integration/agents/choice',
      'what an agent can do',
      'the one with %s',
      'ties fall by chance, each about as often',
      'a validator goes first for validation, if it has room',
      'unhealthy, offline, draining and deleted ones get nothing',
      'nobody gets more than max_concurrency',
    ),
  ),
  need(
    'p1.18',
    'A real agent in one file does tasks in both modes, as a process of its own',
    t('e2e/agents', 'does a task: %s'),
  ),
  need(
    'p1.19',
    'An MCP server can be an agent: a task is a tool call, with progress, in both protocol eras',
    t('e2e/agents', 'calls a tool of an agent that is an MCP server'),
    t(
      'integration/agents/mcp-agent',
      'does the tool and gives what it said',
      'tells its progress on the way',
      'what only claims to be an MCP server',
    ),
  ),
  need(
    'p1.20',
    'An agent does the tasks of its owner alone, or everybody’s where an operator shares it; a task may name its agent',
    t(
      'integration/agents/sharing',
      'when $role registers it with shared: %s',
      'by nobody who may not see what the tasks of others hold',
      'by its owner, not by its own token',
    ),
    t(
      'integration/tasks/whose-agent',
      'not to those of another, however idle they are',
      'give an agent the tasks of its owner alone, in order',
      'tasks of many owners, whose lanes are looked at together, go to the agent of each',
      'goes to that one, whatever it says it can, and to no other',
    ),
    t('integration/tasks/no-agent', 'must name one that its submitter may use'),
    t('integration/agents/before-sharing', 'agents from before there was sharing go on serving everybody'),
  ),
  need(
    'p1.21',
    'Agents are seen by one rule, in lists, by id and in events: one’s own, shared and granted ones; operators see all',
    t('integration/agents/sharing', 'who sees which agent'),
    t('integration/live/visibility', 'who sees what'),
    t('integration/access/every-operation', '$name hides them from $role, and not from their owner'),
  ),
  need(
    'p1.22',
    'Agents that stay offline are removed after AGENT_RETENTION_DAYS, and do not count for MAX_AGENTS then',
    t(
      'integration/agents/retention',
      'one that is offline for longer is gone',
      'one that is offline for less, that answers, or that only drains stays',
      'the watch removes them, once it has left the living the time to come back',
    ),
  ),
];

export const TASKS: Requirement[] = [
  need(
    'p2.1',
    'A task is submitted as the wire contract says, with or without a pipeline, and answered at once',
    t('integration/tasks/flow', 'a task of seed 001 goes to an agent that answers at once', '%s is refused'),
  ),
  need(
    'p2.2',
    'A task is shown with exactly the fields and words of the wire contract, and listed with filters',
    t('integration/tasks/flow', 'a task of seed 001 goes to an agent that answers at once', 'lists filter and page'),
  ),
  need(
    'p2.3',
    'A task is cancelled at any point, and its agent told',
    t(
      'integration/tasks/flow',
      'cancelled while it waits, it never reaches an agent',
      'cancelled while an agent works, the agent is told and its last word is ignored',
      'cancelled during a call that does not end, it ends at once',
    ),
  ),
  need(
    'p2.4',
    'A failed task can be tried again by hand',
    t('integration/tasks/flow', 'a failed task can be tried again by hand, under another workflow'),
  ),
  need(
    'p2.5',
    'Retries back off, go to another agent, and are as many as asked for; an agent that went away costs none',
    t('integration/tasks/flow', 'a failed attempt goes to another agent, after a second', 'costs no retry'),
    t(
      'services/tasks/decisions',
      'backs off for a second, doubled each time, at most a minute',
      'a failure uses up a retry and passes the agent over',
    ),
    t('integration/time/tasks', 'each retry waits as long as it was told to, and names its attempt'),
  ),
  need(
    'p2.6',
    'An attempt that takes longer than its timeout has failed; TASK_TIMEOUT is the longest',
    t(
      'integration/tasks/flow',
      'an attempt that takes too long times out and has failed',
      'a timeout over TASK_TIMEOUT',
    ),
  ),
  need(
    'p2.7',
    'Priority goes first, and within it callers are treated fairly',
    t(
      'services/tasks/queue-order',
      'priority goes first, whoever waited longer',
      'within a priority the owner with the fewest slots goes first',
    ),
    t(
      'integration/tasks/queue',
      'priority goes before time, and an owner with fewer slots before one with many',
      'a thousand kinds of tasks that nobody can do keep nobody else waiting',
    ),
  ),
  need(
    'p2.8',
    'Never more than MAX_CONCURRENT_TASKS run, over all workers, and no slot is left unused or lost',
    t('integration/tasks/limits', 'never more than MAX_CONCURRENT_TASKS at once'),
    t('e2e/task-cap', 'never lets more than the cap run, and all of that, also when a worker dies'),
    t(
      'integration/tasks/queue',
      'as many as MAX_CONCURRENT_TASKS get a slot; the others wait in their places',
      'parallel submissions and ends never exceed the cap, and leave no slot unused',
      'whoever ends gives the slot to the next in the same transaction',
    ),
  ),
  need(
    'p2.9',
    'A waiting task shows its place, also when ten thousand wait',
    t('integration/tasks/queue', 'wait in their places', 'ten thousand waiting tasks do not slow down'),
    t('integration/cli/pipelines', 'one that waits says its place and is cancelled'),
  ),
  need(
    'p2.10',
    'A task that no agent fits is done by the built-in executor of its type, unless an agent is asked for',
    t('integration/tasks/flow', 'a task that no agent can do is done by the built-in stage of its type'),
    t('integration/tasks/queue', 'a task that no agent fits is built in, one that asks for an agent waits'),
  ),
  need(
    'p2.14',
    'A task that only agents can do waits for those that are away, says so, and fails when none came in its time',
    t(
      'integration/tasks/no-agent',
      'waits for an agent that is away, says so, and goes to it when it is back',
      'waits when the agent that had it died, also one that is deleted by then',
      'fails when none has come for as long as an attempt may take, and can be tried again',
      'the watch ends what has waited long enough',
    ),
  ),
  need(
    'p2.11',
    'Logs of a task are bounded and told with it',
    t('integration/tasks/reports', 'logs are cut, bounded, and shown newest last'),
  ),
  need(
    'p2.12',
    'An Idempotency-Key leads to the same task',
    t('integration/tasks/flow', 'an idempotency key leads to the same task, and not with another body'),
  ),
  need(
    'p2.13',
    'Tasks go after their time with all that they keep',
    t('integration/limits/retention', 'go after their time with all that they keep'),
  ),
];
