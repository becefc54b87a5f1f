/**
 * Slack exports of any size, streamed with constant memory, and exactly what they hold: for benches and crash tests.
 * Layout: https://slack.com/help/articles/220556107-How-to-read-Slack-data-exports
 */
import { createRandom } from '../random.ts';
import { type ZipEntry, zipStream } from '../zip.ts';
import { type SlackPerson, slackChannel, slackFile, slackMessage, slackUser } from './shapes.ts';

export interface SlackExportOptions {
  messages: number;
  seed?: string;
  channels?: number;
  days?: number;
  /** Deflate the entries; off gives an archive as large as what is in it. */
  compress?: boolean;
}

/** Unpacked bytes of one message, about: `messages = bytes / this` makes an export of a given unpacked size. */
export const SLACK_BYTES_PER_MESSAGE = 580;

interface ExpectedRecord {
  external_id: string;
  content_type: 'message' | 'file' | 'user' | 'channel';
}

export const SLACK_EXPORT_TEAM = 'T0EXPORT01';
const USERS = 40;
const FIRST_DAY = Date.UTC(2025, 0, 1) / 1000;
const DAY = 86_400;

interface Plan {
  messages: number;
  seed: string;
  channels: number;
  days: number;
}

function planOf(options: SlackExportOptions): Plan {
  return {
    messages: options.messages,
    seed: options.seed ?? 'slack',
    channels: options.channels ?? 8,
    days: options.days ?? 90,
  };
}

/** The archive's bytes. */
export function slackExport(options: SlackExportOptions): AsyncIterable<Uint8Array> {
  return zipStream(slackExportEntries(options), options.compress ?? true);
}

function* slackExportEntries(options: SlackExportOptions): Iterable<ZipEntry> {
  const plan = planOf(options);
  yield {
    name: 'users.json',
    content: () => [JSON.stringify(people().map((person) => slackUser(person, SLACK_EXPORT_TEAM)))],
  };
  yield { name: 'channels.json', content: () => [JSON.stringify(channelList(plan))] };
  for (let channel = 0; channel < plan.channels; channel += 1) {
    for (let day = 0; day < plan.days; day += 1) {
      if (countOf(plan, channel, day) === 0) continue;
      yield { name: `${channelName(channel)}/${dateOf(day)}.json`, content: () => dayFile(plan, channel, day) };
    }
  }
}

/** Every record the export holds, in the export's order, made without parsing it. */
export function* slackExportRecords(options: SlackExportOptions): Iterable<ExpectedRecord> {
  const plan = planOf(options);
  for (const person of people()) yield { external_id: person.id, content_type: 'user' };
  for (let channel = 0; channel < plan.channels; channel += 1) {
    yield { external_id: channelId(channel), content_type: 'channel' };
  }
  for (let channel = 0; channel < plan.channels; channel += 1) {
    for (let day = 0; day < plan.days; day += 1) {
      const count = countOf(plan, channel, day);
      for (let index = 0; index < count; index += 1) {
        yield { external_id: `${channelId(channel)}:${tsOf(day, index, count)}`, content_type: 'message' };
        if (hasFile(index)) yield { external_id: fileId(channel, day, index), content_type: 'file' };
      }
    }
  }
}

function* dayFile(plan: Plan, channel: number, day: number): Iterable<string> {
  const random = createRandom(`${plan.seed}:${channel}:${day}`);
  const count = countOf(plan, channel, day);
  let thread: string | null = null;
  for (let index = 0; index < count; index += 1) {
    const ts = tsOf(day, index, count);
    const more: Record<string, unknown> = {};
    if (index % 7 === 0) thread = ts;
    else if (thread !== null && index % 7 < 4) more.thread_ts = thread;
    if (index % 11 === 5) more.edited = { user: userId(index % USERS), ts: `${ts.slice(0, 10)}.999999` };
    if (index % 5 === 2) more.reactions = [{ name: 'eyes', users: [userId(1), userId(2)], count: 2 }];
    const user = userId(random.int(USERS));
    if (hasFile(index)) {
      const id = fileId(channel, day, index);
      more.files = [
        slackFile({ id, name: `${id}.txt`, title: `Notes ${id}`, filetype: 'text' }, user, Number(ts.slice(0, 10))),
      ];
    }
    const message = slackMessage({ user, text: sentence(random), ts, team: SLACK_EXPORT_TEAM, more });
    yield `${index === 0 ? '[\n' : ',\n'}${JSON.stringify(message)}`;
  }
  yield '\n]\n';
}

/** Messages are spread evenly; the first files take what is left over. */
function countOf(plan: Plan, channel: number, day: number): number {
  const files = plan.channels * plan.days;
  const place = channel * plan.days + day;
  return Math.floor(plan.messages / files) + (place < plan.messages % files ? 1 : 0);
}

/** Spread over the day; the fraction counts on, so a second may hold several. */
function tsOf(day: number, index: number, count: number): string {
  const second = FIRST_DAY + day * DAY + Math.floor((index * DAY) / Math.max(count, 1));
  return `${second}.${String(index % 1_000_000).padStart(6, '0')}`;
}

function hasFile(index: number): boolean {
  return index % 40 === 39;
}

function fileId(channel: number, day: number, index: number): string {
  return `F${channel.toString(36)}Z${day.toString(36)}Z${index.toString(36)}`.toUpperCase();
}

function channelId(channel: number): string {
  return `C0EXP${String(channel).padStart(5, '0')}`;
}

function channelName(channel: number): string {
  return `team-${String(channel).padStart(3, '0')}`;
}

function userId(user: number): string {
  return `U0EXP${String(user).padStart(5, '0')}`;
}

function dateOf(day: number): string {
  return new Date((FIRST_DAY + day * DAY) * 1000).toISOString().slice(0, 10);
}

const FIRST_NAMES = ['Ada', 'Bram', 'Chloe', 'Dario', 'Elif', 'Femke', 'Goran', 'Hana', 'Ines', 'Jonas'] as const;
const LAST_NAMES = ['Moreau', 'Okafor', 'Lindqvist', 'Petrov'] as const;

function people(): SlackPerson[] {
  return Array.from({ length: USERS }, (_unused, index) => ({
    id: userId(index),
    handle: `person${index}`,
    name: `${FIRST_NAMES[index % FIRST_NAMES.length]} ${LAST_NAMES[Math.floor(index / FIRST_NAMES.length)]}`,
    title: 'Engineer',
  }));
}

function channelList(plan: Plan): unknown[] {
  const members = people().map((person) => person.id);
  return Array.from({ length: plan.channels }, (_unused, index) =>
    slackChannel({ id: channelId(index), name: channelName(index), topic: '', purpose: '' }, userId(0), members),
  );
}

const WORDS =
  'the a our this next release sensor gateway customer report invoice deploy review ticket budget meeting battery firmware probe harbour dashboard alert pump valve reading sample contract renewal please check before friday after lunch with without updated fixed broken slow ready late signed shipped moved blocked tested again today'.split(
    ' ',
  );

function sentence(random: ReturnType<typeof createRandom>): string {
  const length = 8 + random.int(22);
  let text = '';
  for (let index = 0; index < length; index += 1) text += `${index === 0 ? '' : ' '}${random.pick(WORDS)}`;
  const turn = random.int(20);
  if (turn === 0) return `<@${userId(random.int(USERS))}> ${text}`;
  return turn === 1 ? `${text} &amp; <https://status.example/${random.int(1000)}|status>` : text;
}
