/**
 * Slack: workspace export archives and single JSON files (a day of a channel, an API page, a list).
 * https://slack.com/help/articles/220556107-How-to-read-Slack-data-exports
 *
 * A message's id is `<channel id>:<ts>`. Without channels.json the folder's name stands in for the channel's id, so
 * such a file meets a full export of the same workspace only where its messages or the upload's metadata name the
 * channel. The account is the team of the users' list, else the one most messages of a single file are of (files up to
 * 32 MiB are read once more for it), else what the upload's metadata says.
 */
import type { ParsedRecord } from '../../../schema/records.ts';
import type { At, Entry, SourceParser, UploadInfo, UploadParser } from '../../contract.ts';
import { RecordError } from '../../contract.ts';
import { basename, folder, isClutter, stem } from '../paths.ts';
import { isObject, objects, type Row, str } from '../values.ts';
import { fileRecord } from './files.ts';
import { channelRecord, integrationLogRecord, userRecord } from './lists.ts';
import { messageRecords, type Place } from './messages.ts';
import { type ChannelName, createDirectory } from './people.ts';

type List = 'users' | 'usergroups' | 'logs' | ChannelName['kind'];

/** org_users.json is the users' list of an Enterprise Grid export. */
const LISTS: Readonly<Record<string, List>> = {
  'users.json': 'users',
  'org_users.json': 'users',
  'channels.json': 'channel',
  'groups.json': 'group',
  'dms.json': 'im',
  'mpims.json': 'mpim',
  'integration_logs.json': 'logs',
  /* Not in Slack's own exports; tools that save usergroups.list put it beside them. */
  'usergroups.json': 'usergroups',
};
/** Flags on messages and list schemas: nothing that reads as content. */
const SKIPPED = new Set(['content_flags.json', 'file_conversations.json', 'lists.json']);
/** Larger single files are not read twice, only to learn their team. */
const MAX_LOOKUP_BYTES = 32 * 1024 * 1024;
const DAY = /^\d{4}-\d{2}-\d{2}$/;

export const slackParser: SourceParser = {
  source: 'slack',
  formats: ['json', 'ndjson'],
  /** Pages of conversations.history and conversations.replies. */
  collections: ['messages'],
  start: (upload) => startSlack(upload),
};

function startSlack(upload: UploadInfo): UploadParser {
  const directory = createDirectory();
  const alone = upload.entries.length === 1;
  let current: { entry: string; list: List | undefined; place: Place } | null = null;

  /** A file holds thousands of values of one kind and place, found once. */
  function locate(entry: string): { list: List | undefined; place: Place } {
    if (current !== null && current.entry === entry) return current;
    const place = named(str(upload.metadata.channel_id) ?? folder(entry) ?? nameOfFile(entry));
    current = { entry, list: LISTS[basename(entry)], place };
    return current;
  }

  function placeOf(message: Row, envelope: Row, place: Place): Place {
    const inline = str(message.channel) ?? str(envelope.channel_id) ?? str(envelope.channel);
    return inline === null ? place : named(inline);
  }

  function named(idOrFolder: string): Place {
    const known = directory.channel(idOrFolder);
    if (known !== null) return { id: known.id, name: known.name };
    return { id: idOrFolder, name: /^[CDG][A-Z0-9]{7,}$/.test(idOrFolder) ? null : idOrFolder };
  }

  /* Plain functions down to the message: this is the path of every message of a large export. */
  function element(value: Row, at: At, envelope: Row): Iterable<ParsedRecord> {
    const { list, place } = locate(at.entry);
    if (list === undefined) return byShape(value, at, envelope, place);
    if (list === 'users') return [userRecord(value)];
    if (list === 'usergroups') return [];
    return [list === 'logs' ? integrationLogRecord(value, directory) : channelRecord(value, list, directory)];
  }

  function byShape(value: Row, at: At, envelope: Row, place: Place): Iterable<ParsedRecord> {
    if (value.ts !== undefined || value.type === 'message' || at.key === 'messages') {
      return messageRecords(value, placeOf(value, envelope, place), directory);
    }
    if (typeof value.ok === 'boolean') return page(value);
    if (isObject(value.profile) || value.team_id !== undefined) return [userRecord(value)];
    if (value.filetype !== undefined || value.mimetype !== undefined) return sharedFile(value);
    if (value.is_channel !== undefined || value.members !== undefined || value.creator !== undefined) {
      return [channelRecord(value, kindOf(value), directory)];
    }
    if (value.change_type !== undefined && value.date !== undefined) return [integrationLogRecord(value, directory)];
    throw new RecordError('not a message, user, channel or file');
  }

  function sharedFile(file: Row): ParsedRecord[] {
    const shared = fileRecord(file, null, null, directory);
    return shared === null ? [] : [shared];
  }

  /** Pages of users.list, conversations.list and files.list that were saved whole. */
  function* page(value: Row): Iterable<ParsedRecord> {
    directory.addUsers(value.members);
    for (const member of objects(value.members)) yield userRecord(member);
    for (const channel of objects(value.channels)) yield channelRecord(channel, kindOf(channel), directory);
    for (const file of objects(value.files)) yield* sharedFile(file);
  }

  return {
    account: () => str(upload.metadata.team_id) ?? str(upload.metadata.account) ?? directory.team(),
    isLookup: (entry) =>
      !isClutter(entry.name) && (isNameList(entry) || (alone && isJson(entry) && entry.size <= MAX_LOOKUP_BYTES)),
    lookup(entry, value) {
      const list = LISTS[basename(entry.name)];
      const values = Array.isArray(value) ? value : [value];
      if (list === 'users') directory.addUsers(values);
      else if (list === 'usergroups') directory.addUsergroups(values);
      else if (list === undefined) for (const message of objects(values)) directory.addMessage(message);
      else if (list !== 'logs') directory.addChannels(values, list);
    },
    skip: (entry) => isClutter(entry.name) || SKIPPED.has(basename(entry.name)) || !isJson(entry),
    json(value, at, envelope) {
      if (value === null || value === undefined) return [];
      if (!isObject(value)) throw new RecordError('not an object');
      return element(value, at, envelope);
    },
    row() {
      throw new RecordError('Slack exports hold no CSV');
    },
    page() {
      throw new RecordError('Slack exports hold no PDF');
    },
  };
}

function isJson(entry: Entry): boolean {
  return entry.format === 'json' || entry.format === 'ndjson';
}

function isNameList(entry: Entry): boolean {
  const list = LISTS[basename(entry.name)];
  return list !== undefined && list !== 'logs' && isJson(entry);
}

/** `general.json` names its channel; `2025-03-04.json` alone does not. */
function nameOfFile(entry: string): string {
  const name = stem(entry);
  return name === '' || DAY.test(name) ? 'channel' : name;
}

function kindOf(channel: Row): ChannelName['kind'] {
  if (channel.is_im === true) return 'im';
  if (channel.is_mpim === true) return 'mpim';
  return channel.is_group === true || channel.is_private === true ? 'group' : 'channel';
}
