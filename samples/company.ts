/** The fictional company of the samples: Brightwater sells water-quality sensors (Tidewatch) to harbours and utilities. */
import type { SlackChannel, SlackPerson } from './slack/shapes.ts';

export const TEAM = 'T0BRIGHT01';

const STAFF: readonly [handle: string, name: string, title: string][] = [
  ['mira', 'Mira Halvorsen', 'Chief Executive'],
  ['tomas', 'Tomas Eklund', 'Head of Platform'],
  ['priya', 'Priya Raman', 'Head of Sales'],
  ['jonah', 'Jonah Whitfield', 'Account Executive'],
  ['leila', 'Leila Haddad', 'Customer Success Lead'],
  ['oskar', 'Oskar Lindgren', 'Firmware Engineer'],
  ['chen', 'Chen Weilin', 'Mobile Engineer'],
  ['sofia', 'Sofia Marchetti', 'Marketing Manager'],
  ['david', 'David Okonkwo', 'Finance Manager'],
  ['nora', 'Nora Fitzgerald', 'People Partner'],
  ['ravi', 'Ravi Deshmukh', 'Data Analyst'],
  ['hugo', 'Hugo Bernard', 'Security Engineer'],
];

export const PEOPLE: readonly SlackPerson[] = [
  ...STAFF.map(([handle, name, title], index) => ({
    id: `U0BRIGHT${String(index + 1).padStart(2, '0')}`,
    handle,
    name,
    title,
  })),
  { id: 'U0BRIGHT90', handle: 'deploybot', name: 'Deploy Bot', title: '', bot: true },
];

const CHANNEL_NAMES: readonly [name: string, purpose: string][] = [
  ['general', 'Announcements for everyone'],
  ['incidents', 'What is broken right now and what we learned'],
  ['sales', 'Deals and customers to be'],
  ['support', 'Customers who need help'],
  ['firmware', 'Sensor firmware and its releases'],
  ['platform', 'Servers, databases, deployments'],
  ['marketing', 'Events, website, campaigns'],
  ['random', 'Everything else'],
];

export const CHANNELS: readonly SlackChannel[] = CHANNEL_NAMES.map(([name, purpose], index) => ({
  id: `C0BRIGHT${String(index + 1).padStart(2, '0')}`,
  name,
  topic: '',
  purpose,
}));

export function personId(handle: string): string {
  const person = PEOPLE.find((one) => one.handle === handle);
  if (person === undefined) throw new RangeError(`no ${handle} at this company`);
  return person.id;
}

export function personName(handle: string): string {
  return PEOPLE.find((one) => one.handle === handle)?.name ?? handle;
}

export function channelId(name: string): string {
  const channel = CHANNELS.find((one) => one.name === name);
  if (channel === undefined) throw new RangeError(`no channel ${name}`);
  return channel.id;
}
