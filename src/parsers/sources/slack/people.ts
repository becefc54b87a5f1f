/**
 * Who and where: names of users and channels by id, filled from the export's lists before messages are read.
 * Lists of an export: https://slack.com/help/articles/220556107-How-to-read-Slack-data-exports
 */
import { isObject, objects, type Row, str } from '../values.ts';

export interface ChannelName {
  id: string;
  /** Without `#`; a direct message has the names of its members. */
  name: string;
  kind: 'channel' | 'group' | 'im' | 'mpim';
}

export interface Directory {
  addUsers(value: unknown): void;
  addChannels(value: unknown, kind: ChannelName['kind']): void;
  /** Readable name of a user, or null when the lists do not hold it. */
  user(userId: string): string | null;
  /** A channel by its id or by the folder it is exported under. */
  channel(idOrFolder: string): ChannelName | null;
  /** Name of a usergroup handle, when an API listing brought it. */
  usergroup(groupId: string): string | null;
  addUsergroups(value: unknown): void;
  /** What a message tells by itself: its team and its author's profile. Lists know better. */
  addMessage(message: Row): void;
  /** The workspace's id by the users' list, else by most of the messages. */
  team(): string | null;
}

/** user object: https://docs.slack.dev/reference/objects/user-object */
export function userName(user: Row): string | null {
  const profile = isObject(user.profile) ? user.profile : {};
  return (
    str(profile.real_name) ?? str(user.real_name) ?? str(profile.display_name) ?? str(user.name) ?? str(profile.email)
  );
}

export function createDirectory(): Directory {
  const users = new Map<string, string>();
  const channels = new Map<string, ChannelName>();
  const folders = new Map<string, ChannelName>();
  /** Named by their members on first use, when the users' list was read whichever came first. */
  const unnamed = new Map<string, Row>();
  const usergroups = new Map<string, string>();
  const teams = new Map<string, number>();
  const messageTeams = new Map<string, number>();
  let ownerTeam: string | null = null;

  return {
    addUsers(value) {
      for (const user of objects(value)) {
        const userId = str(user.id);
        if (userId === null) continue;
        const name = userName(user);
        if (name !== null) users.set(userId, name);
        const team = str(user.team_id);
        if (team === null) continue;
        if (user.is_primary_owner === true) ownerTeam ??= team;
        teams.set(team, (teams.get(team) ?? 0) + 1);
      }
    },
    addChannels(value, kind) {
      for (const channel of objects(value)) {
        const channelId = str(channel.id);
        if (channelId === null) continue;
        const name = str(channel.name);
        const known = { id: channelId, name: name ?? channelId, kind };
        channels.set(channelId, known);
        if (name === null) unnamed.set(channelId, channel);
        else folders.set(name, known);
      }
    },
    addUsergroups(value) {
      for (const group of objects(value)) {
        const groupId = str(group.id);
        const handle = str(group.handle) ?? str(group.name);
        if (groupId !== null && handle !== null) usergroups.set(groupId, handle);
      }
    },
    addMessage(message) {
      const team = str(message.team);
      if (team !== null) messageTeams.set(team, (messageTeams.get(team) ?? 0) + 1);
      const userId = str(message.user);
      const profile = message.user_profile;
      if (userId === null || users.has(userId) || !isObject(profile)) return;
      const name = userName({ profile, name: profile.name });
      if (name !== null) users.set(userId, name);
    },
    user: (userId) => users.get(userId) ?? null,
    channel(idOrFolder) {
      const known = channels.get(idOrFolder) ?? folders.get(idOrFolder) ?? null;
      const listed = known === null ? undefined : unnamed.get(known.id);
      if (known === null || listed === undefined) return known;
      unnamed.delete(known.id);
      known.name = memberNames(listed, users) ?? known.id;
      return known;
    },
    usergroup: (groupId) => usergroups.get(groupId) ?? null,
    team: () => ownerTeam ?? mostFrequent(teams) ?? mostFrequent(messageTeams),
  };
}

/** dms.json names its channels by members only. */
function memberNames(channel: Row, users: ReadonlyMap<string, string>): string | null {
  const members = channel.members;
  if (!Array.isArray(members)) return null;
  const names = members.filter((member) => typeof member === 'string').map((member) => users.get(member) ?? member);
  return names.length === 0 ? null : names.slice(0, 10).join(', ');
}

/** People of shared channels carry their own team: the workspace is the one most people are of. */
function mostFrequent(counts: ReadonlyMap<string, number>): string | null {
  let best: string | null = null;
  for (const [team, count] of counts) {
    const most = best === null ? 0 : (counts.get(best) ?? 0);
    if (best === null || count > most || (count === most && team < best)) best = team;
  }
  return best;
}
