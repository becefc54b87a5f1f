/** The objects of a Slack export, field by field as its documentation gives them. */

/** https://docs.slack.dev/reference/objects/user-object */
export interface SlackPerson {
  id: string;
  handle: string;
  name: string;
  title: string;
  bot?: boolean;
}

export function slackUser(person: SlackPerson, team: string): Record<string, unknown> {
  return {
    id: person.id,
    team_id: team,
    name: person.handle,
    deleted: false,
    color: '9f69e7',
    real_name: person.name,
    tz: 'Europe/Amsterdam',
    tz_label: 'Central European Time',
    tz_offset: 3600,
    profile: {
      title: person.title,
      phone: '',
      real_name: person.name,
      real_name_normalized: person.name,
      display_name: person.handle,
      display_name_normalized: person.handle,
      status_text: '',
      status_emoji: '',
      avatar_hash: 'g0000000000',
      email: `${person.handle}@brightwater.example`,
      team,
    },
    is_admin: false,
    is_owner: false,
    is_primary_owner: false,
    is_restricted: false,
    is_bot: person.bot === true,
    is_app_user: false,
    updated: 1767225600,
  };
}

export interface SlackChannel {
  id: string;
  name: string;
  topic: string;
  purpose: string;
}

/** https://docs.slack.dev/reference/objects/conversation-object as channels.json holds it */
export function slackChannel(
  channel: SlackChannel,
  creator: string,
  members: readonly string[],
): Record<string, unknown> {
  return {
    id: channel.id,
    name: channel.name,
    created: 1735689600,
    creator,
    is_archived: false,
    is_general: channel.name === 'general',
    members,
    topic: { value: channel.topic, creator, last_set: 1735689600 },
    purpose: { value: channel.purpose, creator, last_set: 1735689600 },
  };
}

/** https://docs.slack.dev/reference/objects/file-object */
export function slackFile(
  file: { id: string; name: string; title: string; filetype: string; preview?: string },
  user: string,
  seconds: number,
): Record<string, unknown> {
  return {
    id: file.id,
    created: seconds,
    timestamp: seconds,
    name: file.name,
    title: file.title,
    mimetype: file.filetype === 'pdf' ? 'application/pdf' : 'text/plain',
    filetype: file.filetype,
    pretty_type: file.filetype === 'pdf' ? 'PDF' : 'Plain Text',
    user,
    editable: false,
    size: 20_480,
    mode: 'hosted',
    is_external: false,
    external_type: '',
    is_public: true,
    url_private: `https://files.slack.example/files-pri/T0BRIGHT01-${file.id}/${file.name}`,
    permalink: `https://brightwater.slack.example/files/${user}/${file.id}/${file.name}`,
    ...(file.preview === undefined ? {} : { preview: file.preview }),
  };
}

/** https://docs.slack.dev/reference/events/message, with the `rich_text` block that Slack's own composer writes. */
export function slackMessage(fields: {
  user: string;
  text: string;
  ts: string;
  team: string;
  more?: Record<string, unknown>;
}): Record<string, unknown> {
  return {
    user: fields.user,
    type: 'message',
    ts: fields.ts,
    client_msg_id: uuidOf(fields.ts),
    text: fields.text,
    team: fields.team,
    blocks: [
      {
        type: 'rich_text',
        block_id: fields.ts.slice(-5),
        elements: [{ type: 'rich_text_section', elements: [{ type: 'text', text: fields.text }] }],
      },
    ],
    ...fields.more,
  };
}

function uuidOf(ts: string): string {
  const digits = ts.replace('.', '').padStart(32, '0');
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-4${digits.slice(13, 16)}-8${digits.slice(17, 20)}-${digits.slice(20)}`;
}
