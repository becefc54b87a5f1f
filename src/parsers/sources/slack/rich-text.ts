/** The rich_text block as text. https://docs.slack.dev/reference/block-kit/blocks/rich-text-block */
import { isoFromSeconds } from '../times.ts';
import { isObject, num, objects, type Row, str } from '../values.ts';
import type { Directory } from './people.ts';
import { link } from './text.ts';

/** Lists inside lists are flat in Slack's own format (`indent`); deeper nesting than this is hostile. */
const MAX_DEPTH = 8;

export function richText(elements: unknown, directory: Directory): string {
  return objects(elements)
    .map((element) => container(element, directory, 0))
    .filter((text) => text !== '')
    .join('\n');
}

function container(element: Row, directory: Directory, depth: number): string {
  if (depth > MAX_DEPTH) return '';
  switch (element.type) {
    case 'rich_text_list':
      return list(element, directory, depth);
    case 'rich_text_quote':
      return inline(element, directory).replace(/^/gm, '> ');
    case 'rich_text_section':
    case 'rich_text_preformatted':
      return inline(element, directory).replace(/\n$/, '');
    default:
      return piece(element, directory);
  }
}

function list(element: Row, directory: Directory, depth: number): string {
  const indent = '  '.repeat(Math.min(num(element.indent) ?? 0, MAX_DEPTH));
  const first = (num(element.offset) ?? 0) + 1;
  return objects(element.elements)
    .map((item, index) => {
      const mark = element.style === 'ordered' ? `${first + index}.` : '-';
      return `${indent}${mark} ${container(item, directory, depth + 1)}`;
    })
    .join('\n');
}

function inline(element: Row, directory: Directory): string {
  let text = '';
  for (const part of objects(element.elements)) text += piece(part, directory);
  return text;
}

/** Text in rich_text is not escaped, other than in mrkdwn. */
function piece(part: Row, directory: Directory): string {
  switch (part.type) {
    case 'text':
      return str(part.text) ?? '';
    case 'link':
      return link(str(part.url) ?? '', str(part.text));
    case 'user': {
      const userId = str(part.user_id) ?? '';
      return `@${directory.user(userId) ?? userId}`;
    }
    case 'usergroup': {
      const groupId = str(part.usergroup_id) ?? '';
      return `@${directory.usergroup(groupId) ?? groupId}`;
    }
    case 'channel': {
      const channelId = str(part.channel_id) ?? '';
      return `#${directory.channel(channelId)?.name ?? channelId}`;
    }
    case 'broadcast':
      return `@${str(part.range) ?? 'channel'}`;
    case 'emoji':
      return `:${str(part.name) ?? 'emoji'}:`;
    case 'date':
      return str(part.fallback) ?? isoFromSeconds(part.timestamp) ?? '';
    case 'color':
      return str(part.value) ?? '';
    default:
      return str(part.text) ?? (isObject(part.text) ? (str(part.text.text) ?? '') : '');
  }
}
