/** The ingestion room. */
import type { AnyOperation } from '../contract.ts';
import { getFile, ingestionControls, listFilesOperation, listRecordsOperation, removeFile } from './files.ts';
import { importFile, uploadFile } from './upload.ts';

export const ingestionOperations: AnyOperation[] = [
  uploadFile,
  importFile,
  listFilesOperation,
  getFile,
  listRecordsOperation,
  removeFile,
  ...ingestionControls,
];
