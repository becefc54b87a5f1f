/** `files.*`: look at files and steer them. */
import { z } from 'zod';
import type { Deps } from '../../deps.ts';
import { visibleOwners } from '../../schema/access.ts';
import { FileView, PageQuery, pageOf, RecordView } from '../../schema/files.ts';
import { CONTENT_TYPES, FILE_STATUSES, SOURCES } from '../../schema/names.ts';
import { cancelFile, deleteFile, pauseFile, resumeFile, retryFile } from '../../services/files/control.ts';
import { changeableFile, visibleFile } from '../../services/files/lookup.ts';
import { listFiles, listRecords } from '../../stores/file-lists.ts';
import { type FileRow, fileView, findFile } from '../../stores/files.ts';
import { type AnyOperation, defineOperation } from '../contract.ts';

const FileRef = z.object({ file_id: z.uuid().describe('id of the file') });

export const getFile = defineOperation({
  name: 'files.get',
  summary: 'One file with its progress, counts and errors',
  room: 'ingestion',
  permission: 'files:read',
  input: FileRef,
  output: FileView,
  http: { method: 'get', path: '/api/v1/files/{file_id}', tag: 'files' },
  failures: ['not_found', 'unavailable'],
  audited: false,
  run: async ({ deps, principal }, { file_id }) => fileView(await visibleFile(deps, principal, file_id)),
});

export const listFilesOperation = defineOperation({
  name: 'files.list',
  summary: 'Files, newest first',
  room: 'ingestion',
  permission: 'files:read',
  input: z.object({
    status: z.enum(FILE_STATUSES).optional(),
    source_type: z.enum(SOURCES).optional(),
    ...PageQuery,
  }),
  output: pageOf(FileView),
  http: { method: 'get', path: '/api/v1/files', tag: 'files' },
  failures: ['unavailable'],
  audited: false,
  async run({ deps, principal }, input) {
    const granted = principal.grants.flatMap((grant) =>
      grant.resource.startsWith('file:') ? [grant.resource.slice(5)] : [],
    );
    const page = await listFiles(deps.db, { ...input, owners: visibleOwners(principal), granted });
    return { ...page, items: page.items.map(fileView) };
  },
});

export const listRecordsOperation = defineOperation({
  name: 'files.records',
  summary: 'The records that a file brought',
  room: 'ingestion',
  permission: 'files:read',
  input: FileRef.extend({ content_type: z.enum(CONTENT_TYPES).optional(), ...PageQuery }),
  output: pageOf(RecordView),
  http: { method: 'get', path: '/api/v1/files/{file_id}/records', tag: 'files' },
  failures: ['not_found', 'unavailable'],
  audited: false,
  async run({ deps, principal }, input) {
    await visibleFile(deps, principal, input.file_id);
    return listRecords(deps.db, input);
  },
});

export const removeFile = defineOperation({
  name: 'files.delete',
  summary: 'Delete a file with its records, vectors and bytes; a durable workflow does it',
  room: 'ingestion',
  permission: 'files:write',
  input: FileRef,
  output: z.object({ file_id: z.uuid(), workflow_id: z.string() }),
  http: { method: 'delete', path: '/api/v1/files/{file_id}', status: 202, tag: 'files' },
  failures: ['not_found', 'unavailable'],
  audited: true,
  async run({ deps, principal }, { file_id }) {
    const { workflow_id } = await deleteFile(deps, await changeableFile(deps, principal, file_id));
    return { file_id, workflow_id };
  },
});

/** `cancel`, `pause`, `resume`, `retry` are one shape: find the file, do it, answer with the file. */
function control(verb: string, summary: string, act: (deps: Deps, file: FileRow) => Promise<unknown>): AnyOperation {
  return defineOperation({
    name: `files.${verb}`,
    summary,
    room: 'ingestion',
    permission: 'files:write',
    input: FileRef,
    output: FileView,
    http: { method: 'post', path: `/api/v1/files/{file_id}/${verb}`, tag: 'files' },
    failures: ['not_found', 'conflict', 'unavailable'],
    audited: true,
    async run({ deps, principal }, { file_id }) {
      const file = await changeableFile(deps, principal, file_id);
      await act(deps, file);
      return fileView((await findFile(deps.db, file_id)) ?? file);
    },
  });
}

export const ingestionControls: AnyOperation[] = [
  control('cancel', 'Stop an ingestion and take out what it brought so far', cancelFile),
  control('pause', 'Pause an ingestion at its next checkpoint', pauseFile),
  control('resume', 'Go on with a paused ingestion', resumeFile),
  control('retry', 'Try a failed or cancelled file again', retryFile),
];
