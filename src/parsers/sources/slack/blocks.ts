/**
 * Block Kit and secondary attachments as text.
 * https://docs.slack.dev/reference/block-kit/blocks and
 * https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments
 */
import { lines, objects, type Row, str } from '../values.ts';
import type { Directory } from './people.ts';
import { richText } from './rich-text.ts';
import { link, readable } from './text.ts';

export function blocksText(blocks: unknown, directory: Directory): string {
  return lines(...objects(blocks).map((block) => blockText(block, directory)));
}

/** Blocks of a kind not known yet give what they hold under the usual keys. */
function blockText(block: Row, directory: Directory): string {
  switch (block.type) {
    case 'rich_text':
      return richText(block.elements, directory);
    case 'context':
    case 'actions':
      return objects(block.elements)
        .map((element) => textOf(element, directory))
        .filter((text) => text !== '')
        .join(' ');
    case 'table':
      return tableText(block.rows, directory);
    case 'divider':
      return '';
    default:
      return lines(
        textOf(block.title, directory),
        textOf(block.label, directory),
        textOf(block.text, directory),
        ...objects(block.fields).map((field) => textOf(field, directory)),
        str(block.alt_text),
        textOf(block.description, directory),
        textOf(block.accessory, directory),
      );
  }
}

/** A text object, a plain string, a button or an image. */
function textOf(value: unknown, directory: Directory): string {
  if (typeof value === 'string') return readable(value, directory);
  if (typeof value !== 'object' || value === null) return '';
  const object = value as Row;
  const inner = object.text;
  if (typeof inner === 'string') return object.type === 'plain_text' ? inner : readable(inner, directory);
  if (typeof inner === 'object' && inner !== null) return textOf(inner, directory);
  return str(object.alt_text) ?? '';
}

function tableText(rows: unknown, directory: Directory): string {
  if (!Array.isArray(rows)) return '';
  return rows
    .map((row) =>
      objects(row)
        .map((cell) => (cell.type === 'rich_text' ? richText(cell.elements, directory) : textOf(cell, directory)))
        .join(' | '),
    )
    .join('\n');
}

export function attachmentsText(attachments: unknown, directory: Directory): string {
  return lines(...objects(attachments).map((attachment) => attachmentText(attachment, directory)));
}

function attachmentText(attachment: Row, directory: Directory): string {
  const inline = (key: string): string => readable(str(attachment[key]) ?? '', directory);
  const address = str(attachment.title_link) ?? str(attachment.from_url) ?? str(attachment.original_url);
  const title = inline('title');
  const body = lines(
    inline('pretext'),
    inline('author_name') || inline('service_name'),
    address === null ? title : link(address, title || null),
    inline('text'),
    ...objects(attachment.fields).map((field) => fieldText(field, directory)),
    blocksText(attachment.blocks, directory),
    sharedMessage(attachment, directory),
    inline('footer'),
  );
  return body || inline('fallback');
}

function fieldText(field: Row, directory: Directory): string {
  const title = readable(str(field.title) ?? '', directory);
  const value = readable(str(field.value) ?? '', directory);
  return title && value ? `${title}: ${value}` : title || value;
}

/** A message shared into a channel comes as `message_blocks`; its `text` is read already when it is there. */
function sharedMessage(attachment: Row, directory: Directory): string {
  if (str(attachment.text) !== null) return '';
  return lines(
    ...objects(attachment.message_blocks).map((wrapped) => {
      const message = wrapped.message;
      return typeof message === 'object' && message !== null ? blocksText((message as Row).blocks, directory) : '';
    }),
  );
}
