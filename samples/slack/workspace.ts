/**
 * The sample workspace: an export of three months and one channel's day as a file of its own.
 * https://slack.com/help/articles/220556107-How-to-read-Slack-data-exports
 */
import { CHANNELS, channelId, PEOPLE, personId, personName, TEAM } from '../company.ts';
import type { Labels } from '../labels.ts';
import { createRandom } from '../random.ts';
import { REPLIES, SMALL_TALK } from '../stories/filler.ts';
import { THREADS } from '../stories/slack.ts';
import { slackChannel, slackFile, slackMessage, slackUser } from './shapes.ts';

type Message = Record<string, unknown>;

const REPLY_SECONDS = 480;
const FILLER = 330;
const FIRST_DAY = Date.UTC(2026, 0, 5) / 1000;
const DAYS = 82;

/** Channel folder and day of a message, by its `ts`. */
interface Placed {
  channel: string;
  message: Message & { ts: string };
}

/** Entries of the archive: name and JSON text. */
export function workspace(labels: Labels): { name: string; text: string }[] {
  const placed = [...stories(labels), ...oddities(labels), ...filler()];
  const days = new Map<string, Placed['message'][]>();
  for (const { channel, message } of placed) {
    const name = `${channel}/${dayOf(message.ts)}.json`;
    const day = days.get(name) ?? [];
    day.push(message);
    days.set(name, day);
  }
  const members = PEOPLE.map((person) => person.id);
  const lists: [string, unknown][] = [
    ['users.json', PEOPLE.map((person) => slackUser(person, TEAM))],
    ['channels.json', CHANNELS.map((channel) => slackChannel(channel, personId('mira'), members))],
    ['dms.json', [{ id: 'D0BRIGHT01', created: 1767225600, members: [personId('priya'), personId('jonah')] }]],
    ['groups.json', []],
    ['mpims.json', []],
    ['integration_logs.json', [integrationLog()]],
  ];
  const entries = [...days].sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    ...lists.map(([name, value]) => ({ name, text: JSON.stringify(value, null, 2) })),
    ...entries.map(([name, messages]) => ({
      name,
      text: JSON.stringify(
        messages.sort((a, b) => Number(a.ts) - Number(b.ts)),
        null,
        1,
      ),
    })),
  ];
}

/** One channel's messages as a single JSON file, the same messages as in the archive. */
export function singleChannel(channel: string): string {
  const messages = stories(null).filter((one) => one.channel === channel);
  return JSON.stringify(
    messages.map((one) => ({ ...one.message, channel: channelId(channel) })),
    null,
    1,
  );
}

function stories(labels: Labels | null): Placed[] {
  return THREADS.flatMap((thread) => {
    const start = Date.parse(`${thread.date}T${thread.time}:00Z`) / 1000;
    const root = `${start}.000100`;
    return thread.says.map(([handle, text], index) => {
      const ts = `${start + index * REPLY_SECONDS}.000100`;
      labels?.add(`${thread.label}.${index}`, {
        source: 'slack',
        content_type: 'message',
        external_id: `${channelId(thread.channel)}:${ts}`,
      });
      const more: Message = {
        thread_ts: root,
        ...(index === 0 ? threadRoot(thread.says.length) : { parent_user_id: personId(thread.says[0]?.[0] ?? 'mira') }),
      };
      if (index === 1) more.reactions = [{ name: '+1', users: [personId('mira')], count: 1 }];
      if (index === 2) more.edited = { user: personId(handle), ts: `${start + index * REPLY_SECONDS + 30}.000000` };
      return { channel: thread.channel, message: message(handle, text, ts, more) };
    });
  });
}

function threadRoot(count: number): Message {
  return { reply_count: count - 1, reply_users_count: count - 1, subscribed: false };
}

function message(handle: string, text: string, ts: string, more: Message = {}): Message & { ts: string } {
  return {
    ...slackMessage({ user: personId(handle), text, ts, team: TEAM, more: { user_profile: profile(handle), ...more } }),
    ts,
  };
}

/** Exports carry a short profile of the author beside each message. */
function profile(handle: string): Message {
  return { real_name: personName(handle), display_name: handle, name: handle, team: TEAM, is_restricted: false };
}

/** Joins, topics, bots, files old and new, a huddle, an edit and a deletion. */
function oddities(labels: Labels): Placed[] {
  const at = (date: string): number => Date.parse(`${date}Z`) / 1000;
  const tar = at('2026-02-10T09:00:00');
  const protocol = slackFile(
    {
      id: 'F0BRIGHT01',
      name: 'restore-test.txt',
      title: 'Backup restore test protocol',
      filetype: 'text',
      preview: 'Restore of the main database on 12 January 2026: 38 minutes, all checks passed.',
    },
    personId('tomas'),
    tar,
  );
  const quote = slackFile(
    { id: 'F0BRIGHT02', name: 'northwind-quote-v2.pdf', title: 'Northwind Harbor revised quote', filetype: 'pdf' },
    personId('jonah'),
    at('2026-03-12T10:00:00'),
  );
  for (const [label, file] of [
    ['file.restore', 'F0BRIGHT01'],
    ['file.quote', 'F0BRIGHT02'],
  ] as const) {
    labels.add(label, { source: 'slack', content_type: 'file', external_id: file });
  }
  const odd = (channel: string, seconds: number, fields: Message): Placed => {
    const ts = `${seconds}.000200`;
    return { channel, message: { type: 'message', ts, ...fields } };
  };
  const deploys = ['2026-01-17T22:30:00', '2026-02-11T07:04:00', '2026-03-18T22:41:00'].map((date, index) =>
    odd('platform', at(date), {
      subtype: 'bot_message',
      bot_id: 'B0BRIGHT01',
      username: 'Deploy Bot',
      text: 'Deployment finished',
      attachments: [
        {
          fallback: `Release 2026.${index + 1} deployed`,
          title: `Release 2026.${index + 1}`,
          title_link: `https://deploy.brightwater.example/${index + 1}`,
          text: 'All health checks passed',
          fields: [{ title: 'Environment', value: 'production', short: true }],
        },
      ],
      blocks: [
        { type: 'header', text: { type: 'plain_text', text: 'Deployment finished' } },
        { type: 'context', elements: [{ type: 'mrkdwn', text: `by <@${personId('tomas')}>` }] },
      ],
    }),
  );
  return [
    ...deploys,
    odd('general', at('2026-01-12T08:00:00'), {
      subtype: 'channel_join',
      user: personId('ravi'),
      text: `<@${personId('ravi')}> has joined the channel`,
    }),
    odd('general', at('2026-01-12T08:05:00'), {
      subtype: 'channel_topic',
      user: personId('nora'),
      topic: 'Be kind &amp; brief',
      text: `<@${personId('nora')}> set the channel topic: Be kind &amp; brief`,
    }),
    odd('random', at('2026-01-14T17:00:00'), {
      subtype: 'me_message',
      user: personId('chen'),
      text: 'waves goodbye for today',
    }),
    odd('platform', tar, {
      user: personId('tomas'),
      text: 'Protocol of the restore test',
      upload: true,
      files: [protocol],
    }),
    odd('sales', at('2026-03-12T10:00:00'), { user: personId('jonah'), text: '', upload: true, files: [quote] }),
    odd('sales', at('2026-03-12T10:30:00'), {
      subtype: 'file_share',
      user: personId('priya'),
      text: 'Same quote again for the record',
      file: quote,
    }),
    odd('incidents', at('2026-02-11T06:55:00'), {
      subtype: 'huddle_thread',
      user: personId('tomas'),
      text: '',
      room: {
        id: 'R0BRIGHT01',
        name: 'Gateway',
        created_by: personId('tomas'),
        date_start: at('2026-02-11T06:55:00'),
        date_end: at('2026-02-11T07:10:00'),
        participant_history: [personId('tomas'), personId('hugo')],
      },
    }),
    odd('random', at('2026-02-02T12:00:00'), {
      subtype: 'tombstone',
      user: 'USLACKBOT',
      text: 'This message was deleted.',
      hidden: true,
    }),
  ];
}

function integrationLog(): Message {
  return {
    service_id: '880001',
    service_type: 'Deploy Bot',
    user_id: personId('tomas'),
    user_name: 'tomas',
    channel: channelId('platform'),
    date: '1768205400',
    change_type: 'added',
    scope: 'chat:write',
  };
}

function filler(): Placed[] {
  const random = createRandom('brightwater');
  const talkers = PEOPLE.filter((person) => person.bot !== true);
  return Array.from({ length: FILLER }, (_unused, index) => {
    const channel = random.pick(CHANNELS).name;
    const seconds = FIRST_DAY + random.int(DAYS) * 86_400 + 8 * 3600 + random.int(9 * 3600);
    const text = random.int(4) === 0 ? random.pick(REPLIES) : random.pick(SMALL_TALK[channel] ?? REPLIES);
    return {
      channel,
      message: message(random.pick(talkers).handle, text, `${seconds}.${String(1000 + index).padStart(6, '0')}`),
    };
  });
}

function dayOf(ts: string): string {
  return new Date(Number(ts) * 1000).toISOString().slice(0, 10);
}
