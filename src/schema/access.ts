/** What each role may do. Checked once per call, before the operation runs; resources are checked by `canSee` and `canChange`. */
import type { Role } from './names.ts';
import type { Principal } from './principal.ts';

export const PERMISSIONS = [
  /** To ask who one is: every role has it. */
  'self:read',
  'files:read',
  'files:write',
  'query:run',
  'workflows:read',
  'workflows:control',
  'keys:manage',
  'audit:read',
  'system:read',
  'agents:read',
  'agents:write',
  /** To register agents that do everybody's tasks, and so see what those hold. */
  'agents:share',
  /** What an agent's own token may do: heartbeats, claims, callbacks. */
  'agents:work',
  'tasks:read',
  'tasks:write',
  'pipelines:read',
  'pipelines:write',
  'approvals:decide',
  'credentials:manage',
] as const;
export type Permission = (typeof PERMISSIONS)[number];

const ALL = PERMISSIONS;

const LOOK = [
  'self:read',
  'files:read',
  'query:run',
  'workflows:read',
  'agents:read',
  'tasks:read',
  'pipelines:read',
] as const;
const WORK = [...LOOK, 'files:write', 'tasks:write', 'pipelines:write'] as const;
const BUILD = [...WORK, 'workflows:control', 'agents:write', 'approvals:decide', 'credentials:manage'] as const;

const BY_ROLE: Record<Role, readonly Permission[]> = {
  admin: ALL,
  operator: [...BUILD, 'agents:share', 'system:read'],
  developer: BUILD,
  analyst: WORK,
  viewer: LOOK,
  agent: ['self:read', 'agents:work'],
};

export function permissionsOf(role: Role): readonly Permission[] {
  return BY_ROLE[role];
}

/** Whether `role` may do all that `other` may: nobody hands out more than they have. */
export function covers(role: Role, other: Role): boolean {
  return BY_ROLE[other].every((permission) => BY_ROLE[role].includes(permission));
}

/** Of several permissions any one is enough. */
export function mayDo(principal: Principal, permission: Permission | readonly Permission[]): boolean {
  const wanted = typeof permission === 'string' ? [permission] : permission;
  return wanted.some((one) => BY_ROLE[principal.role].includes(one));
}

/** Owners whose resources the caller sees in lists and searches; `null` means all of them. */
export function visibleOwners(principal: Principal): string[] | null {
  if (principal.role === 'admin' || principal.role === 'operator') return null;
  const granted = principal.grants.flatMap((grant) =>
    grant.resource.startsWith('owner:') ? [grant.resource.slice('owner:'.length)] : [],
  );
  return [principal.id, ...granted];
}

export function canSee(principal: Principal, resource: { owner: string; ref: string }): boolean {
  const owners = visibleOwners(principal);
  return (
    owners === null || owners.includes(resource.owner) || principal.grants.some((g) => g.resource === resource.ref)
  );
}

export function canChange(principal: Principal, resource: { owner: string; ref: string }): boolean {
  if (principal.role === 'admin' || principal.role === 'operator' || principal.id === resource.owner) return true;
  return principal.grants.some(
    (g) => g.access === 'write' && (g.resource === resource.ref || g.resource === `owner:${resource.owner}`),
  );
}
