/** Who is calling. */
import type { Role } from './names.ts';

export interface Grant {
  /** `file:<id>`, `owner:<id>` or `workflow:<id>`. */
  resource: string;
  access: 'read' | 'write';
}

export interface Principal {
  /** Stable id: the owner of what this caller makes. Keys made for one subject share it. */
  id: string;
  name: string;
  role: Role;
  grants: Grant[];
  /** How the caller proved itself. */
  via: 'api_key' | 'jwt' | 'session' | 'local';
  /** Id of the key, for the audit log and revocation. */
  keyId: string | null;
}
