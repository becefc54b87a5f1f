/** `records.get`: the whole of one record, where a result's link leads. */
import { visibleOwners } from '../../schema/access.ts';
import { Failure } from '../../schema/failures.ts';
import { RecordView } from '../../schema/files.ts';
import { RecordInput } from '../../schema/query.ts';
import { findRecord } from '../../stores/search.ts';
import { defineOperation } from '../contract.ts';

export const recordsGet = defineOperation({
  name: 'records.get',
  summary: 'Read one record',
  room: 'query',
  permission: 'query:run',
  input: RecordInput,
  output: RecordView,
  http: { method: 'get', path: '/api/v1/records/{record_id}', tag: 'Query' },
  mcp: {
    tool: 'get_record',
    title: 'Record',
    description: 'Gives one ingested record whole: text, author, participants, time and metadata. Takes a result’s id.',
    readOnly: true,
    destructive: false,
    idempotent: true,
    openWorld: false,
    listed: false,
  },
  failures: ['not_found'],
  audited: false,
  async run({ deps, principal }, { record_id }) {
    const record = await findRecord(deps.db, record_id, visibleOwners(principal));
    if (!record) throw new Failure('not_found', `No record ${record_id}`);
    return record;
  },
});
