/**
 * The export's lists as records: users.json, channels.json and its siblings, integration_logs.json.
 * https://slack.com/help/articles/220556107-How-to-read-Slack-data-exports
 */
import type { ParsedRecord } from '../../../schema/records.ts';
import { RecordError } from '../../contract.ts';
import { stableHash } from '../hash.ts';
import { record } from '../record.ts';
import { isoFromAny, isoFromSeconds } from '../times.ts';
import { id, isObject, labelled, lines, type Row, str } from '../values.ts';
import type { ChannelName, Directory } from './people.ts';
import { userName } from './people.ts';
import { readable } from './text.ts';

/** Names beyond this many are counted, not listed. */
const LISTED_MEMBERS = 50;

/** https://docs.slack.dev/reference/objects/user-object */
export function userRecord(user: Row): ParsedRecord {
  const userId = str(user.id);
  if (userId === null) throw new RecordError('user without an id');
  const profile = isObject(user.profile) ? user.profile : {};
  const name = userName(user) ?? userId;
  return record({
    external_id: userId,
    content_type: 'user',
    title: name,
    text: lines(
      name,
      labelled('Handle', str(profile.display_name) ?? str(user.name)),
      labelled('Title', profile.title),
      labelled('Email', profile.email),
      labelled('Phone', profile.phone),
      labelled('Status', profile.status_text),
      labelled('Time zone', str(user.tz_label) ?? str(user.tz)),
      user.deleted === true ? 'Deactivated' : null,
    ),
    participants: [name],
    metadata: {
      user_id: userId,
      team_id: user.team_id,
      handle: user.name,
      email: profile.email,
      deleted: user.deleted === true,
      is_bot: user.is_bot === true,
      is_admin: user.is_admin === true,
      updated_at: isoFromSeconds(user.updated),
    },
  });
}

/** https://docs.slack.dev/reference/objects/conversation-object */
export function channelRecord(channel: Row, kind: ChannelName['kind'], directory: Directory): ParsedRecord {
  const channelId = str(channel.id);
  if (channelId === null) throw new RecordError('channel without an id');
  const members = Array.isArray(channel.members) ? channel.members.filter((member) => typeof member === 'string') : [];
  const names = members.slice(0, LISTED_MEMBERS).map((member) => directory.user(member) ?? member);
  const listed = str(channel.name);
  const creatorId = str(channel.creator);
  const title = listed === null ? `Direct message: ${names.join(', ') || channelId}` : `#${listed}`;
  return record({
    external_id: channelId,
    content_type: 'channel',
    title,
    text: lines(
      title,
      about('Topic', channel.topic, directory),
      about('Purpose', channel.purpose, directory),
      names.length === 0 ? null : `Members: ${names.join(', ')}${members.length > names.length ? ' and others' : ''}`,
      channel.is_archived === true ? 'Archived' : null,
    ),
    author: creatorId === null ? null : (directory.user(creatorId) ?? creatorId),
    participants: names,
    occurred_at: isoFromSeconds(channel.created),
    metadata: {
      channel_id: channelId,
      name: listed,
      kind,
      members: members.length,
      is_archived: channel.is_archived === true,
      is_general: channel.is_general === true,
    },
  });
}

/** `topic` and `purpose` are `{value, creator, last_set}`. */
function about(label: string, value: unknown, directory: Directory): string | null {
  const text = isObject(value) ? str(value.value) : str(value);
  return text === null ? null : labelled(label, readable(text, directory));
}

/** An app being added, changed or removed: kept as a message, since that is how people ask for it. */
export function integrationLogRecord(log: Row, directory: Directory): ParsedRecord {
  const userId = str(log.user_id);
  const actor = (userId === null ? null : directory.user(userId)) ?? str(log.user_name) ?? userId ?? 'Someone';
  const service = str(log.service_type) ?? str(log.app_type) ?? str(log.app_id) ?? id(log.service_id) ?? 'app';
  const change = str(log.change_type) ?? 'changed';
  const channelId = str(log.channel);
  const place = channelId === null ? '' : ` in #${directory.channel(channelId)?.name ?? channelId}`;
  const serviceId = id(log.service_id) ?? str(log.app_id) ?? service;
  const date = id(log.date) ?? '';
  return record({
    external_id: `integration_log:${stableHash(serviceId, change, date, userId ?? '', channelId ?? '')}`,
    content_type: 'message',
    title: `App activity: ${service}`,
    text: lines(`${actor} ${change} ${service}${place}`, str(log.reason), str(log.scope)),
    author: actor,
    participants: [actor],
    occurred_at: /^\d+(\.\d+)?$/.test(date) ? isoFromSeconds(date) : isoFromAny(date),
    metadata: {
      subtype: 'integration_log',
      service_id: serviceId,
      change_type: change,
      channel_id: channelId,
      user_id: userId,
    },
  });
}
