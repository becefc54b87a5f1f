/** Who is calling. */
import type { Role } from './names.ts';

/** What a grant can name: one thing, or all that an owner has. */
export const GRANT_KINDS = ['file', 'owner', 'workflow', 'agent', 'task', 'pipeline', 'run'] as const;

export interface Grant {
  /** `<kind>:<id>` with a kind of GRANT_KINDS. */
  resource: string;
  access: 'read' | 'write';
}

/** How a caller can prove itself. `delegated`: a workflow acts for the caller who started it. */
export const CREDENTIALS = ['api_key', 'jwt', 'session', 'local', 'introspection', 'delegated'] as const;

export interface Principal {
  /** Stable id: the owner of what this caller makes. Keys made for one subject share it. */
  id: string;
  name: string;
  role: Role;
  grants: Grant[];
  /** How the caller proved itself. */
  via: (typeof CREDENTIALS)[number];
  /** Id of the key, for the audit log and revocation. */
  keyId: string | null;
}
