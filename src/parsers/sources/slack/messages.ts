/**
 * Messages of every subtype as records.
 * https://docs.slack.dev/reference/events/message lists the subtypes and their fields.
 */
import type { ParsedRecord } from '../../../schema/records.ts';
import { RecordError } from '../../contract.ts';
import { record } from '../record.ts';
import { isoFromSeconds } from '../times.ts';
import { distinct, id, isObject, lines, objects, type Row, str } from '../values.ts';
import { attachmentsText, blocksText } from './blocks.ts';
import { fileName, fileRecord, filesOf, isGone } from './files.ts';
import type { Directory } from './people.ts';
import { readable } from './text.ts';

/** The channel a message was found in: its id when the lists hold it, else the folder's name. */
export interface Place {
  id: string;
  name: string | null;
}

const TS = /^\d{1,12}(?:\.\d{1,9})?$/;
const DELETED = 'A message was deleted.';

/**
 * The message's record and one for each of its files. An edit (`message_changed`) is the message in its new form
 * under its own id; a deletion (`message_deleted`) leaves its id with no trace of what it said.
 * Throws RecordError for a message without a `ts`, which is its id.
 */
export function* messageRecords(value: Row, place: Place, directory: Directory): Iterable<ParsedRecord> {
  const message = effective(value);
  const ts = id(message.ts);
  if (ts === null || !TS.test(ts)) throw new RecordError('message without a valid ts');
  const externalId = `${place.id}:${ts}`;
  const mentioned: string[] = [];
  const files = filesOf(message);
  const text = messageText(message, files, directory, mentioned);
  if (text !== '') yield messageRecord(message, { externalId, ts, text, mentioned, files, place, directory });
  for (const file of files) {
    const shared = fileRecord(file, externalId, place.name, directory);
    if (shared !== null) yield shared;
  }
  for (const reply of objects(message.slackdump_thread_replies)) yield* messageRecords(reply, place, directory);
}

interface Parts {
  externalId: string;
  ts: string;
  text: string;
  mentioned: string[];
  files: readonly Row[];
  place: Place;
  directory: Directory;
}

function messageRecord(message: Row, parts: Parts): ParsedRecord {
  const { place, directory, ts } = parts;
  const userId = str(message.user) ?? nestedUser(message);
  const author = authorName(message, userId, directory);
  const threadTs = id(message.thread_ts);
  const isReply = threadTs !== null && threadTs !== ts;
  const metadata: Record<string, unknown> = { channel_id: place.id, ts };
  if (place.name !== null) metadata.channel = place.name;
  if (userId !== null) metadata.user_id = userId;
  if (message.subtype !== undefined) metadata.subtype = str(message.subtype);
  if (threadTs !== null) metadata.thread_ts = threadTs;
  if (message.reply_count !== undefined) metadata.reply_count = message.reply_count;
  if (message.bot_id !== undefined) metadata.bot_id = str(message.bot_id);
  if (isObject(message.edited)) metadata.edited_at = isoFromSeconds(message.edited.ts);
  if (message.reactions !== undefined) metadata.reactions = reactions(message.reactions);
  if (parts.files.length > 0) metadata.file_ids = parts.files.map((file) => str(file.id));
  if (message.subtype === 'tombstone' || message.subtype === 'message_deleted') metadata.deleted = true;
  return record({
    external_id: parts.externalId,
    content_type: 'message',
    title: place.name === null ? null : `#${place.name}`,
    text: parts.text,
    author,
    participants: participants(author, parts.mentioned),
    occurred_at: isoFromSeconds(ts),
    url: str(message.permalink),
    parent_id: isReply ? `${place.id}:${threadTs}` : null,
    metadata,
  });
}

function effective(value: Row): Row {
  if (value.subtype === 'message_changed' && isObject(value.message)) return value.message;
  if (value.subtype !== 'message_deleted') return value;
  const previous = isObject(value.previous_message) ? value.previous_message : {};
  return {
    subtype: 'message_deleted',
    ts: value.deleted_ts ?? previous.ts ?? value.ts,
    user: previous.user,
    thread_ts: previous.thread_ts,
    text: DELETED,
  };
}

/**
 * People's messages say everything in `text`; apps often put a mere notice there and the content into blocks, so
 * those are added where they say more.
 */
function messageText(message: Row, files: readonly Row[], directory: Directory, mentioned: string[]): string {
  const raw = str(message.text);
  let text = raw === null ? '' : readable(raw, directory, mentioned);
  const blocks = message.blocks;
  if (blocks !== undefined && (text === '' || message.bot_id !== undefined || message.subtype === 'bot_message')) {
    const inside = blocksText(blocks, directory);
    if (!text.includes(inside)) text = inside.includes(text) ? inside : lines(text, inside);
  }
  const attachments = message.attachments;
  if (attachments !== undefined) text = lines(text, attachmentsText(attachments, directory));
  for (const file of files) text = lines(text, fileLine(file));
  if (isObject(message.room) && message.subtype === 'huddle_thread') text = huddle(message.room, text, directory);
  return text.trim() === '' ? (fallback(message) ?? '') : text;
}

function fileLine(file: Row): string {
  if (isGone(file)) return '[deleted file]';
  return `[file: ${fileName(file) ?? str(file.id) ?? 'unnamed'}]`;
}

function huddle(room: Row, text: string, directory: Directory): string {
  const members = Array.isArray(room.participant_history) ? room.participant_history : [];
  const names = members
    .filter((member) => typeof member === 'string')
    .map((member) => directory.user(member) ?? member);
  const topic = str(room.name);
  return lines(
    text.trim() === '' ? 'A huddle took place.' : text,
    topic === null ? null : `Huddle: ${topic}`,
    names.length === 0 ? null : `In the huddle: ${names.join(', ')}`,
  );
}

/** What stands for a message that says nothing itself; null where nothing is worth a record. */
function fallback(message: Row): string | null {
  const subtype = str(message.subtype);
  switch (subtype) {
    case null:
      return null;
    case 'tombstone':
      return DELETED;
    case 'channel_topic':
    case 'group_topic':
      return `set the topic: ${str(message.topic) ?? ''}`;
    case 'channel_purpose':
    case 'group_purpose':
      return `set the purpose: ${str(message.purpose) ?? ''}`;
    case 'channel_name':
    case 'group_name':
      return `renamed from ${str(message.old_name) ?? '?'} to ${str(message.name) ?? '?'}`;
    default:
      return `(${subtype.replaceAll('_', ' ')})`;
  }
}

/** Comments and old file messages name their person one level down. */
function nestedUser(message: Row): string | null {
  if (isObject(message.comment)) return str(message.comment.user);
  return isObject(message.file) ? str(message.file.user) : null;
}

/** `user_profile` and `bot_profile` ride along in exports and serve when the lists are missing. */
function authorName(message: Row, userId: string | null, directory: Directory): string | null {
  const listed = userId === null ? null : directory.user(userId);
  if (listed !== null) return listed;
  const profile = message.user_profile;
  if (isObject(profile)) {
    const name = str(profile.real_name) ?? str(profile.display_name) ?? str(profile.name);
    if (name !== null) return name;
  }
  const bot = isObject(message.bot_profile) ? str(message.bot_profile.name) : null;
  return str(message.username) ?? bot ?? userId ?? str(message.bot_id);
}

function participants(author: string | null, mentioned: readonly string[]): string[] {
  if (mentioned.length === 0) return author === null ? [] : [author];
  return distinct([author, ...mentioned]);
}

function reactions(value: unknown): { name: string; count: number }[] {
  return objects(value).map((reaction) => ({
    name: str(reaction.name) ?? 'unknown',
    count:
      typeof reaction.count === 'number' ? reaction.count : Array.isArray(reaction.users) ? reaction.users.length : 1,
  }));
}
