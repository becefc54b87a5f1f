/** `credentials.create`: stores a secret for outgoing calls, sealed. */
import { Failure } from '../../schema/failures.ts';
import { seal } from '../../services/access/seal.ts';
import { insertCredential } from '../../stores/credentials.ts';
import { defineOperation } from '../contract.ts';
import { CredentialInput, configOf } from './credential-input.ts';
import { CredentialView, viewCredential } from './views.ts';

export const credentialsCreate = defineOperation({
  name: 'credentials.create',
  summary: 'Store a credential for calls to another service; its secret is never shown again',
  room: 'access',
  permission: 'credentials:manage',
  input: CredentialInput,
  output: CredentialView,
  http: { method: 'post', path: '/api/v1/credentials', status: 201, tag: 'Access' },
  failures: ['conflict', 'unsealable'],
  audited: true,
  async run({ deps, principal }, input) {
    const place = { owner: principal.id, name: input.name };
    const row = await insertCredential(deps.db, {
      ...place,
      kind: input.kind,
      config: JSON.stringify(configOf(input)),
      sealed: seal(deps.config, place, input.secret),
    });
    if (!row) throw new Failure('conflict', `There is a credential ${input.name} already; delete it first`);
    return viewCredential(row);
  },
});
