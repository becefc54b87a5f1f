/** The operations of the access room. */
import type { AnyOperation } from '../contract.ts';
import { auditList } from './audit-list.ts';
import { credentialsCreate } from './credentials-create.ts';
import { credentialsDelete } from './credentials-delete.ts';
import { credentialsList } from './credentials-list.ts';
import { keysCreate } from './keys-create.ts';
import { keysList } from './keys-list.ts';
import { keysRevoke } from './keys-revoke.ts';
import { limitsGet } from './limits-get.ts';

export const accessOperations: AnyOperation[] = [
  keysCreate,
  keysList,
  keysRevoke,
  credentialsCreate,
  credentialsList,
  credentialsDelete,
  auditList,
  limitsGet,
];
