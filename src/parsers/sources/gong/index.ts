/**
 * Gong: calls (extensive and basic), transcripts, and CSV of either.
 * https://help.gong.io/apidocs/retrieve-detailed-call-data-by-various-filters-v2callsextensive-2
 */
import type { ParsedRecord } from '../../../schema/records.ts';
import type { Entry, SourceParser, UploadInfo, UploadParser } from '../../contract.ts';
import { RecordError } from '../../contract.ts';
import { fieldsOf } from '../columns.ts';
import { basename, isClutter } from '../paths.ts';
import { id, isObject, objects, type Row, str } from '../values.ts';
import { callRecord } from './calls.ts';
import { insightRecords } from './insights.ts';
import { callIdOf, createCalls, factsOf } from './people.ts';
import { rowRecords } from './rows.ts';
import { transcriptRecords } from './transcripts.ts';

/** Calls beyond this size are not held for their names; their transcripts keep speaker ids. */
const MAX_LOOKUP_BYTES = 32 * 1024 * 1024;

export const gongParser: SourceParser = {
  source: 'gong',
  formats: ['json', 'ndjson', 'csv'],
  collections: ['calls', 'callTranscripts'],
  start: (upload) => startGong(upload),
};

function startGong(upload: UploadInfo): UploadParser {
  const calls = createCalls();

  function* read(value: Row): Iterable<ParsedRecord> {
    if (isObject(value.call)) {
      yield* read(value.call);
      return;
    }
    if (value.calls !== undefined || value.callTranscripts !== undefined) {
      for (const call of objects(value.calls)) yield* read(call);
      for (const transcript of objects(value.callTranscripts)) yield* read(transcript);
      return;
    }
    const callId = callIdOf(value);
    const isCall = isObject(value.metaData) || (value.transcript === undefined && value.id !== undefined);
    if (isCall) {
      yield callRecord(value);
      yield* insightRecords(value, factsOf(value));
    }
    if (Array.isArray(value.transcript)) {
      yield* transcriptRecords(value, callId, isCall ? factsOf(value) : callId === null ? null : calls.get(callId));
    } else if (!isCall) throw new RecordError('neither a call nor a transcript');
  }

  return {
    account: () => str(upload.metadata.account) ?? id(upload.metadata.workspace_id),
    isLookup: (entry) => upload.entries.length > 1 && isCallList(entry),
    lookup(_entry, value) {
      const found = isObject(value) ? [value, ...objects(value.calls)] : objects(value);
      for (const call of found) calls.add(isObject(call.call) ? call.call : call);
    },
    skip: (entry) => isClutter(entry.name) || entry.format === 'pdf',
    *json(value) {
      if (value === null || value === undefined) return;
      if (!isObject(value)) throw new RecordError('not an object');
      yield* read(value);
    },
    row: (row) => rowRecords(fieldsOf(row), calls),
    page() {
      throw new RecordError('Gong exports hold no PDF');
    },
  };
}

/** Speaker names are in the calls and the turns in the transcripts: the calls of the same archive are read first. */
function isCallList(entry: Entry): boolean {
  const name = basename(entry.name).toLowerCase();
  return (
    entry.format === 'json' && entry.size <= MAX_LOOKUP_BYTES && name.includes('call') && !name.includes('transcript')
  );
}
