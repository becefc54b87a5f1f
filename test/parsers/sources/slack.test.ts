/** Slack: messages of every subtype, the lists, files, and ids that hold across exports. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { UploadParser } from '../../../src/parsers/contract.ts';
import { slackParser } from '../../../src/parsers/sources/slack/index.ts';
import { fromJson, only, RecordError, readUpload, started } from './read.ts';

const DAY = 'Acme export/general/2025-03-04.json';
const NAMES = ['Acme export/users.json', 'Acme export/channels.json', DAY];
const USERS = [
  { id: 'U1', team_id: 'T1', is_primary_owner: true, profile: { real_name: 'Ana Ruiz' } },
  { id: 'U2', team_id: 'T1', real_name: 'Ben Okri', profile: {} },
  { id: 'U3', team_id: 'T9', name: 'guest' },
];
const CHANNELS = [
  { id: 'C1', name: 'general' },
  { id: 'C2', name: 'ops' },
];
const TS = '1741082400.000200';

function entry(name: string) {
  return { name, format: 'json' as const, size: 10 };
}

let slack: UploadParser;

beforeEach(() => {
  slack = started(slackParser, NAMES);
  slack.lookup(entry('Acme export/dms.json'), [{ id: 'D1', members: ['U1', 'U2'] }]);
  slack.lookup(entry('Acme export/users.json'), USERS);
  slack.lookup(entry('Acme export/channels.json'), CHANNELS);
});

function message(fields: Record<string, unknown>, at = DAY) {
  return fromJson(slack, { type: 'message', user: 'U1', ts: TS, ...fields }, { entry: at });
}

function text(fields: Record<string, unknown>): string {
  return only(message(fields)).text;
}

describe('a plain message', () => {
  it('carries its id, author, time and channel', () => {
    expect(only(message({ text: 'Hello world' }))).toEqual({
      external_id: `C1:${TS}`,
      content_type: 'message',
      title: '#general',
      text: 'Hello world',
      author: 'Ana Ruiz',
      participants: ['Ana Ruiz'],
      occurred_at: '2025-03-04T10:00:00.000Z',
      url: null,
      parent_id: null,
      metadata: { channel_id: 'C1', channel: 'general', ts: TS, user_id: 'U1' },
    });
  });

  it('keeps milliseconds of its ts', () => {
    expect(only(message({ text: 'a', ts: '1741082400.123400' })).occurred_at).toBe('2025-03-04T10:00:00.123Z');
  });

  it('keeps edits and reactions', () => {
    const { metadata } = only(
      message({
        text: 'a',
        edited: { user: 'U1', ts: '1741082460.000000' },
        reactions: [
          { name: 'eyes', count: 2, users: ['U1', 'U2'] },
          { name: 'tada', users: ['U1'] },
        ],
      }),
    );
    expect(metadata.edited_at).toBe('2025-03-04T10:01:00.000Z');
    expect(metadata.reactions).toEqual([
      { name: 'eyes', count: 2 },
      { name: 'tada', count: 1 },
    ]);
  });
});

describe('text', () => {
  it.each([
    ['hi <@U1>', 'hi @Ana Ruiz'],
    ['hi <@U2|old>', 'hi @Ben Okri'],
    ['hi <@U404|carl>', 'hi @carl'],
    ['hi <@U404>', 'hi @U404'],
    ['see <#C2>', 'see #ops'],
    ['see <#C404|lost>', 'see #lost'],
    ['<!here> <!channel|@channel> <!everyone>', '@here @channel @everyone'],
    ['<!subteam^S1|@eng> <!subteam^S2>', '@eng @S2'],
    ['<!date^1741082400^{date}|4 March>', '4 March'],
    ['<!date^1741082400^{date}>', '2025-03-04T10:00:00.000Z'],
    ['<https://a.example/x?y=1&amp;z=2>', 'https://a.example/x?y=1&z=2'],
    ['<https://a.example/x|the plan &amp; more>', 'the plan & more (https://a.example/x)'],
    ['<http://a.example|a.example>', 'http://a.example'],
    ['<mailto:a@b.example|a@b.example>', 'a@b.example'],
    ['1 &lt; 2 &amp;&amp; 3 &gt; 2', '1 < 2 && 3 > 2'],
    ['&amp;lt;b&amp;gt;', '&lt;b&gt;'],
    ['a < b & c', 'a < b & c'],
  ])('%s reads as %s', (raw, readable) => {
    expect(text({ text: raw })).toBe(readable);
  });

  it('names usergroups where a list brings them', () => {
    slack.lookup(entry('usergroups.json'), [{ id: 'S2', handle: 'ops-team' }]);
    expect(text({ text: 'ask <!subteam^S2>' })).toBe('ask @ops-team');
    expect(fromJson(slack, { id: 'S2', handle: 'ops-team' }, { entry: 'usergroups.json' })).toEqual([]);
  });

  it('names the mentioned as participants, once', () => {
    expect(only(message({ text: '<@U2> and <@U2> and <@U1>' })).participants).toEqual(['Ana Ruiz', 'Ben Okri']);
  });
});

describe('threads', () => {
  it('make a reply the child of its root', () => {
    const reply = only(message({ text: 'yes', thread_ts: '1741082000.000100' }));
    expect(reply.parent_id).toBe('C1:1741082000.000100');
    expect(reply.metadata.thread_ts).toBe('1741082000.000100');
  });

  it('leave the root and its own thread_ts without a parent', () => {
    const root = only(message({ text: 'who?', thread_ts: TS, reply_count: 3 }));
    expect(root.parent_id).toBeNull();
    expect(root.metadata.reply_count).toBe(3);
  });

  it('keep a broadcast reply in its thread', () => {
    const shared = only(
      message({
        subtype: 'thread_broadcast',
        text: 'news',
        thread_ts: '1741082000.000100',
        root: { ts: '1741082000.000100' },
      }),
    );
    expect(shared.parent_id).toBe('C1:1741082000.000100');
    expect(shared.metadata.subtype).toBe('thread_broadcast');
  });
});

describe('subtypes', () => {
  it.each([
    ['channel_join', { text: '<@U1> has joined the channel' }, '@Ana Ruiz has joined the channel'],
    ['channel_leave', { text: '<@U1> has left the channel' }, '@Ana Ruiz has left the channel'],
    ['group_join', { text: '' }, '(group join)'],
    ['channel_topic', { text: '', topic: 'Ship it' }, 'set the topic: Ship it'],
    ['channel_purpose', { text: '', purpose: 'Work' }, 'set the purpose: Work'],
    ['channel_name', { text: '', old_name: 'a', name: 'b' }, 'renamed from a to b'],
    ['me_message', { text: 'waves' }, 'waves'],
    ['tombstone', { text: '' }, 'A message was deleted.'],
    ['channel_archive', {}, '(channel archive)'],
    ['some_future_subtype', { text: 'hello' }, 'hello'],
    ['another_future_one', {}, '(another future one)'],
    ['reminder_add', { text: 'set a reminder' }, 'set a reminder'],
  ])('%s', (subtype, fields, expected) => {
    const record = only(message({ subtype, ...fields }));
    expect(record.text).toBe(expected);
    expect(record.metadata.subtype).toBe(subtype);
  });

  it('bot_message takes its name and its attachments and blocks', () => {
    const bot = only(
      message({
        subtype: 'bot_message',
        user: undefined,
        bot_id: 'B1',
        username: 'Pager',
        text: '',
        attachments: [
          {
            fallback: 'ignored',
            pretext: 'New alert',
            title: 'CPU &amp; disk',
            title_link: 'https://mon.example/1',
            text: 'High on <@U2>',
            fields: [{ title: 'Host', value: 'db-1', short: true }],
            footer: 'mon',
          },
          { fallback: 'plain fallback' },
        ],
        blocks: [
          { type: 'header', text: { type: 'plain_text', text: 'Alert & more' } },
          {
            type: 'section',
            text: { type: 'mrkdwn', text: '*Severity*: &lt;high&gt;' },
            fields: [{ type: 'mrkdwn', text: 'since 10:00' }],
          },
          {
            type: 'context',
            elements: [
              { type: 'mrkdwn', text: 'by <@U1>' },
              { type: 'image', alt_text: 'logo' },
            ],
          },
          { type: 'divider' },
          { type: 'actions', elements: [{ type: 'button', text: { type: 'plain_text', text: 'Acknowledge' } }] },
          { type: 'image', title: { type: 'plain_text', text: 'Graph' }, alt_text: 'cpu graph' },
        ],
      }),
    );
    expect(bot.author).toBe('Pager');
    expect(bot.text).toBe(
      [
        'Alert & more',
        '*Severity*: <high>',
        'since 10:00',
        'by @Ana Ruiz logo',
        'Acknowledge',
        'Graph',
        'cpu graph',
        'New alert',
        'CPU & disk (https://mon.example/1)',
        'High on @Ben Okri',
        'Host: db-1',
        'mon',
        'plain fallback',
      ].join('\n'),
    );
  });

  it('message_changed is the message in its new form under its own id', () => {
    const [changed] = message({
      subtype: 'message_changed',
      ts: '1741090000.000000',
      message: { user: 'U2', ts: TS, text: 'new', edited: { ts: '1741090000.000000' } },
      previous_message: { ts: TS, text: 'old' },
    });
    expect(changed).toMatchObject({ external_id: `C1:${TS}`, text: 'new', author: 'Ben Okri' });
  });

  it('message_deleted leaves the id and nothing that was said', () => {
    const deleted = only(
      message({
        subtype: 'message_deleted',
        ts: '1741090000.000000',
        deleted_ts: TS,
        previous_message: { ts: TS, user: 'U2', text: 'secret' },
      }),
    );
    expect(deleted).toMatchObject({ external_id: `C1:${TS}`, text: 'A message was deleted.', author: 'Ben Okri' });
    expect(JSON.stringify(deleted)).not.toContain('secret');
    expect(deleted.metadata.deleted).toBe(true);
  });

  it('a huddle says who was in it', () => {
    expect(
      text({ subtype: 'huddle_thread', text: '', room: { name: 'Release', participant_history: ['U1', 'U2'] } }),
    ).toBe('A huddle took place.\nHuddle: Release\nIn the huddle: Ana Ruiz, Ben Okri');
  });
});

describe('rich text blocks', () => {
  it('stand in where a message has no text', () => {
    const section = (...elements: unknown[]) => ({ type: 'rich_text_section', elements });
    const words = (value: string) => ({ type: 'text', text: value });
    expect(
      text({
        text: '',
        blocks: [
          {
            type: 'rich_text',
            elements: [
              section(
                words('Hi '),
                { type: 'user', user_id: 'U2' },
                words(' & '),
                { type: 'broadcast', range: 'here' },
                words(' '),
                { type: 'emoji', name: 'wave' },
              ),
              {
                type: 'rich_text_list',
                style: 'bullet',
                indent: 1,
                elements: [section(words('one')), section({ type: 'channel', channel_id: 'C2' })],
              },
              { type: 'rich_text_list', style: 'ordered', offset: 2, elements: [section(words('third'))] },
              { type: 'rich_text_quote', elements: [words('said\ntwice')] },
              { type: 'rich_text_preformatted', elements: [words('code <x>\n')] },
              section(
                { type: 'link', url: 'https://a.example', text: 'site' },
                { type: 'usergroup', usergroup_id: 'S1' },
                { type: 'date', timestamp: 1741082400, fallback: 'Tuesday' },
                { type: 'colour_of_the_future' },
              ),
            ],
          },
        ],
      }),
    ).toBe(
      'Hi @Ben Okri & @here :wave:\n  - one\n  - #ops\n3. third\n> said\n> twice\ncode <x>\nsite (https://a.example)@S1Tuesday',
    );
  });

  it('are not said twice beside the same text', () => {
    expect(
      text({ text: 'same', bot_id: 'B1', blocks: [{ type: 'section', text: { type: 'mrkdwn', text: 'same' } }] }),
    ).toBe('same');
  });

  it('nested without end are cut, not followed', () => {
    let nested: unknown = { type: 'rich_text_section', elements: [{ type: 'text', text: 'deep' }] };
    for (let depth = 0; depth < 5000; depth += 1) nested = { type: 'rich_text_list', elements: [nested] };
    expect(message({ text: 'top', bot_id: 'B', blocks: [{ type: 'rich_text', elements: [nested] }] })).toHaveLength(1);
  });
});

describe('files', () => {
  const plan = {
    id: 'F1',
    name: 'plan.pdf',
    title: 'The plan',
    filetype: 'pdf',
    pretty_type: 'PDF',
    user: 'U2',
    created: 1741082400,
    permalink: 'https://acme.example/f/F1',
    size: 10,
  };

  it('of the newer kind are records of their own beside the message', () => {
    const [said, file] = message({ text: 'here', files: [plan] });
    expect(said?.text).toBe('here\n[file: The plan]');
    expect(said?.metadata.file_ids).toEqual(['F1']);
    expect(file).toMatchObject({
      external_id: 'F1',
      content_type: 'file',
      title: 'The plan',
      text: 'The plan\nplan.pdf\nType: PDF',
      author: 'Ben Okri',
      url: 'https://acme.example/f/F1',
      parent_id: `C1:${TS}`,
      occurred_at: '2025-03-04T10:00:00.000Z',
    });
  });

  it('of the old kind too, with their first comment', () => {
    const [, file] = message({
      subtype: 'file_share',
      text: '<@U2> uploaded a file',
      file: { ...plan, initial_comment: { comment: 'Look &amp; tell' }, preview: 'Page one' },
    });
    expect(file?.text).toBe('The plan\nplan.pdf\nType: PDF\nLook & tell\nPage one');
  });

  it('shared twice have one id', () => {
    const first = message({ text: 'a', files: [plan] }).at(-1);
    const second = message({ text: 'b', ts: '1741090000.000000', files: [plan] }).at(-1);
    expect(second?.external_id).toBe(first?.external_id);
  });

  it('that are gone leave a word in the message only', () => {
    const [said, ...files] = message({
      text: '',
      files: [
        { id: 'F2', mode: 'tombstone' },
        { id: 'F3', mode: 'hidden_by_limit' },
      ],
    });
    expect(said?.text).toBe('[deleted file]\n[deleted file]');
    expect(files).toEqual([]);
  });

  it('without a name or an id do not hurt', () => {
    expect(message({ text: 'x', files: [{}, null, { id: 'F9' }, 'F8'] })).toHaveLength(1);
  });
});

describe('the lists', () => {
  it('users become records', () => {
    const user = only(
      fromJson(
        slack,
        {
          id: 'U1',
          team_id: 'T1',
          name: 'ana',
          deleted: true,
          tz: 'Europe/Madrid',
          updated: 1741082400,
          profile: { real_name: 'Ana Ruiz', title: 'CTO', email: 'ana@acme.example', status_text: 'Away' },
        },
        { entry: 'Acme export/users.json' },
      ),
    );
    expect(user).toMatchObject({
      external_id: 'U1',
      content_type: 'user',
      title: 'Ana Ruiz',
      participants: ['Ana Ruiz'],
    });
    expect(user.text).toBe(
      'Ana Ruiz\nHandle: ana\nTitle: CTO\nEmail: ana@acme.example\nStatus: Away\nTime zone: Europe/Madrid\nDeactivated',
    );
  });

  it('channels, groups and direct messages become records', () => {
    const channel = only(
      fromJson(
        slack,
        {
          id: 'C1',
          name: 'general',
          created: 1741082400,
          creator: 'U1',
          members: ['U1', 'U2'],
          topic: { value: 'A &amp; B' },
          purpose: { value: 'All' },
        },
        { entry: 'Acme export/channels.json' },
      ),
    );
    expect(channel).toMatchObject({
      external_id: 'C1',
      content_type: 'channel',
      title: '#general',
      author: 'Ana Ruiz',
      occurred_at: '2025-03-04T10:00:00.000Z',
    });
    expect(channel.text).toBe('#general\nTopic: A & B\nPurpose: All\nMembers: Ana Ruiz, Ben Okri');
    const dm = only(fromJson(slack, { id: 'D1', members: ['U1', 'U2'] }, { entry: 'Acme export/dms.json' }));
    expect(dm.title).toBe('Direct message: Ana Ruiz, Ben Okri');
    const mpim = only(
      fromJson(slack, { id: 'G1', name: 'mpdm-a--b-1', members: [] }, { entry: 'Acme export/mpims.json' }),
    );
    expect(mpim.metadata.kind).toBe('mpim');
  });

  it('direct messages are named by their members', () => {
    expect(only(message({ text: 'psst' }, 'Acme export/D1/2025-03-04.json'))).toMatchObject({
      external_id: `D1:${TS}`,
      title: '#Ana Ruiz, Ben Okri',
    });
  });

  it('integration logs tell who added what', () => {
    const log = {
      service_id: 1,
      service_type: 'Giphy',
      user_id: 'U1',
      channel: 'C2',
      date: '1741082400',
      change_type: 'added',
    };
    const first = only(fromJson(slack, log, { entry: 'Acme export/integration_logs.json' }));
    expect(first).toMatchObject({
      content_type: 'message',
      text: 'Ana Ruiz added Giphy in #ops',
      occurred_at: '2025-03-04T10:00:00.000Z',
    });
    expect(only(fromJson(slack, log, { entry: 'integration_logs.json' })).external_id).toBe(first.external_id);
  });

  it('people with no id are reported', () => {
    expect(() => fromJson(slack, { name: 'x' }, { entry: 'users.json' })).toThrow(RecordError);
  });
});

describe('ids and account', () => {
  it('take the team of the primary owner, else the most frequent', () => {
    expect(slack.account()).toBe('T1');
    const other = started(slackParser, NAMES);
    for (const user of [
      { id: 'a', team_id: 'T2' },
      { id: 'b', team_id: 'T3' },
      { id: 'c', team_id: 'T3' },
    ])
      other.lookup(entry('users.json'), user);
    expect(other.account()).toBe('T3');
    other.lookup(entry('users.json'), { id: 'd', team_id: 'T2', is_primary_owner: true });
    expect(other.account()).toBe('T2');
    expect(started(slackParser, NAMES).account()).toBeNull();
    expect(started(slackParser, NAMES, { team_id: 'T7' }).account()).toBe('T7');
  });

  it('are equal for a message in two exports that overlap, under any top folder', () => {
    const again = started(slackParser, ['channels.json', 'general/2025-03-04.json']);
    again.lookup(entry('channels.json'), CHANNELS);
    const [other] = fromJson(again, { ts: TS, user: 'U1', text: 'Hello' }, { entry: 'general/2025-03-04.json' });
    expect(other?.external_id).toBe(only(message({ text: 'Hello' })).external_id);
  });

  it('use the folder where no list names the channel', () => {
    const bare = started(slackParser, ['general/2025-03-04.json']);
    expect(only(fromJson(bare, { ts: TS, user: 'U1', text: 'a' }, { entry: 'general/2025-03-04.json' }))).toMatchObject(
      { external_id: `general:${TS}`, author: 'U1' },
    );
  });

  it("use the message's own channel, the envelope's, or the file's name for single files", () => {
    const bare = started(slackParser, ['ops.json']);
    const at = { entry: 'ops.json' };
    expect(only(fromJson(bare, { ts: TS, text: 'a', channel: 'C00000002' }, at)).external_id).toBe(`C00000002:${TS}`);
    expect(
      only(fromJson(bare, { ts: TS, text: 'a' }, { ...at, key: 'messages', envelope: { channel_id: 'C00000003' } }))
        .external_id,
    ).toBe(`C00000003:${TS}`);
    expect(only(fromJson(bare, { ts: TS, text: 'a' }, at)).external_id).toBe(`ops:${TS}`);
  });

  it('meet for a single file and the archive it is from', async () => {
    const said = {
      type: 'message',
      user: 'U1',
      team: 'T1',
      ts: TS,
      text: 'a <@U1>',
      channel: 'C1',
      user_profile: { real_name: 'Ana Ruiz' },
    };
    const single = await readUpload('slack', 'general.json', Buffer.from(JSON.stringify([said])));
    expect(single.account).toBe('T1');
    expect(single.records[0]).toMatchObject({ external_id: `C1:${TS}`, text: 'a @Ana Ruiz', author: 'Ana Ruiz' });
  });
});

describe('tolerance', () => {
  it('authors come from what rides along when the lists lack them', () => {
    expect(only(message({ user: 'U8', text: 'a', user_profile: { display_name: 'Zoe' } })).author).toBe('Zoe');
    expect(only(message({ user: undefined, text: 'a', bot_id: 'B2', bot_profile: { name: 'Jira' } })).author).toBe(
      'Jira',
    );
    expect(only(message({ user: undefined, text: 'a' })).author).toBeNull();
  });

  it('an empty message gives nothing', () => {
    expect(message({ text: '' })).toEqual([]);
    expect(message({ text: null, blocks: null, files: null, attachments: null, reactions: null })).toEqual([]);
    expect(fromJson(slack, null)).toEqual([]);
  });

  it.each([[{ text: 'no ts' }], [{ ts: 'soon', text: 'a' }], [{ ts: null, type: 'message' }]])(
    '%j is reported',
    (value) => {
      expect(() => fromJson(slack, value, { entry: DAY })).toThrow(RecordError);
    },
  );

  it('values that are no messages are reported', () => {
    expect(() => fromJson(slack, 'text', { entry: DAY })).toThrow(RecordError);
    expect(() => fromJson(slack, { hello: 1 }, { entry: DAY })).toThrow(RecordError);
  });

  it('wrong types inside read as absent', () => {
    const odd = only(
      message({ text: 'a', user: 5, thread_ts: {}, edited: 'x', reactions: [1, {}], files: {}, blocks: 'b' }),
    );
    expect(odd).toMatchObject({ text: 'a', author: null, parent_id: null });
  });

  it('NUL characters are reported and half emojis mended', () => {
    expect(() => message({ text: 'a\u0000b' })).toThrow(RecordError);
    expect(text({ text: 'cut \ud83d' })).toBe('cut \ufffd');
  });

  it('API pages saved whole are read', () => {
    expect(fromJson(slack, { ok: true, members: USERS }).map((record) => record.external_id)).toEqual([
      'U1',
      'U2',
      'U3',
    ]);
    expect(fromJson(slack, { ok: true, channels: [{ id: 'C5', name: 'x', is_private: true }] })[0]?.metadata.kind).toBe(
      'group',
    );
    expect(fromJson(slack, { ok: true, files: [{ id: 'F5', name: 'n.txt' }] })[0]?.content_type).toBe('file');
    expect(fromJson(slack, { ok: true })).toEqual([]);
  });

  it('clutter of archives and flags are skipped', () => {
    expect(slack.skip(entry('__MACOSX/general/._2025-03-04.json'))).toBe(true);
    expect(slack.skip(entry('.DS_Store'))).toBe(true);
    expect(slack.skip(entry('content_flags.json'))).toBe(true);
    expect(slack.skip(entry(DAY))).toBe(false);
  });
});
