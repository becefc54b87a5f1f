/** Records as people read them. */
import type { RecordView } from '../../schema/files.ts';
import type { Output } from '../output.ts';
import type { Column } from '../table.ts';
import { shownId } from './file.ts';

const TEXT_COLUMNS = 200;

export function recordColumns(out: Output): Column<RecordView>[] {
  return [
    { title: 'RECORD', value: (record) => shownId(out, record.id) },
    { title: 'TYPE', value: (record) => record.content_type },
    { title: 'AUTHOR', value: (record) => record.author ?? '-', shrinkTo: 10 },
    { title: 'OCCURRED', value: (record) => out.time(record.occurred_at) },
    { title: 'TEXT', value: (record) => record.text.slice(0, TEXT_COLUMNS), shrinkTo: 20 },
  ];
}
