/** `credentials.delete`: takes a credential for outgoing calls away. */
import { z } from 'zod';
import { canChange, canSee } from '../../schema/access.ts';
import { Failure } from '../../schema/failures.ts';
import { deleteCredential, getCredential } from '../../stores/credentials.ts';
import { defineOperation } from '../contract.ts';
import { CredentialView, viewCredential } from './views.ts';

export const credentialsDelete = defineOperation({
  name: 'credentials.delete',
  summary: 'Delete a credential for outgoing calls; calls that use it fail from then on',
  room: 'access',
  permission: 'credentials:manage',
  input: z.object({ credential_id: z.uuid() }),
  output: CredentialView,
  http: { method: 'delete', path: '/api/v1/credentials/{credential_id}', tag: 'Access' },
  failures: ['not_found'],
  audited: true,
  async run({ deps, principal }, { credential_id }) {
    const row = await getCredential(deps.db, credential_id);
    const resource = row && { owner: row.owner, ref: `credential:${credential_id}` };
    if (!resource || !canSee(principal, resource)) throw new Failure('not_found', `No credential ${credential_id}`);
    if (!canChange(principal, resource)) throw new Failure('forbidden', 'This credential is not yours to delete');
    await deleteCredential(deps.db, credential_id);
    return viewCredential(row);
  },
});
