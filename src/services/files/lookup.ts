/** Finds a file for a caller: one that may not see it is told that there is none. */
import type { Deps } from '../../deps.ts';
import { canChange, canSee } from '../../schema/access.ts';
import { Failure } from '../../schema/failures.ts';
import type { Principal } from '../../schema/principal.ts';
import { type FileRow, findFile } from '../../stores/files.ts';

export async function visibleFile(deps: Deps, principal: Principal, fileId: string): Promise<FileRow> {
  const row = await findFile(deps.db, fileId);
  if (!row || !canSee(principal, { owner: row.owner, ref: `file:${fileId}` })) {
    throw new Failure('not_found', `No file ${fileId}`);
  }
  return row;
}

export async function changeableFile(deps: Deps, principal: Principal, fileId: string): Promise<FileRow> {
  const row = await visibleFile(deps, principal, fileId);
  if (!canChange(principal, { owner: row.owner, ref: `file:${fileId}` })) {
    throw new Failure('forbidden', `File ${fileId} may be read but not changed with these credentials`);
  }
  return row;
}
