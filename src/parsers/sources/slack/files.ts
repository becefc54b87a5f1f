/** File objects, newer `files` and older `file`. https://docs.slack.dev/reference/objects/file-object */
import type { ParsedRecord } from '../../../schema/records.ts';
import { record } from '../record.ts';
import { isoFromSeconds } from '../times.ts';
import { isObject, labelled, lines, objects, type Row, str } from '../values.ts';
import type { Directory } from './people.ts';
import { readable } from './text.ts';

/** Files of a message in either form. */
export function filesOf(message: Row): Row[] {
  if (message.files !== undefined) return objects(message.files);
  return isObject(message.file) ? [message.file] : [];
}

export function fileName(file: Row): string | null {
  return str(file.title) ?? str(file.name);
}

/** Deleted files and those beyond a free plan's history keep an id and nothing else. */
export function isGone(file: Row): boolean {
  return file.mode === 'tombstone' || file.mode === 'hidden_by_limit' || file.file_access === 'file_not_found';
}

/** Null when the file is gone or carries neither id nor name. A file shared twice has one id and so one record. */
export function fileRecord(
  file: Row,
  parentId: string | null,
  channel: string | null,
  directory: Directory,
): ParsedRecord | null {
  const fileId = str(file.id);
  const name = fileName(file);
  if (fileId === null || name === null || isGone(file)) return null;
  const userId = str(file.user);
  const author = (userId === null ? null : directory.user(userId)) ?? str(file.username) ?? userId;
  const comment = isObject(file.initial_comment) ? str(file.initial_comment.comment) : null;
  const transcription = isObject(file.transcription) ? file.transcription.preview : null;
  return record({
    external_id: fileId,
    content_type: 'file',
    title: name,
    text: lines(
      name,
      str(file.name) === name ? null : str(file.name),
      labelled('Type', str(file.pretty_type) ?? str(file.filetype)),
      labelled('Subject', file.subject),
      comment === null ? null : readable(comment, directory),
      str(file.alt_txt),
      str(file.plain_text) ?? str(file.preview_plain_text) ?? str(file.preview),
      isObject(transcription) ? str(transcription.content) : null,
    ),
    author,
    participants: author === null ? [] : [author],
    occurred_at: isoFromSeconds(file.created ?? file.timestamp),
    url: str(file.permalink) ?? str(file.url_private),
    parent_id: parentId,
    metadata: {
      file_id: fileId,
      user_id: userId,
      channel,
      name: file.name,
      mimetype: file.mimetype,
      filetype: file.filetype,
      size: file.size,
      mode: file.mode,
      is_external: file.is_external === true ? true : undefined,
    },
  });
}
