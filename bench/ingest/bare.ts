/** The bare program of row (a): streams an export, parses it and COPYs the records into the same tables. No engine, no checkpoints. */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { tmpdir } from 'node:os';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { parseLimits } from '../../src/parsers/limits.ts';
import { parseUpload } from '../../src/parsers/parse-upload.ts';
import { fileAccess } from '../../src/parsers/readers/access.ts';
import { loadConfig } from '../../src/schema/config.ts';
import { COPY_COLUMNS } from '../../src/stores/content.ts';
import { copyRow } from '../../src/stores/copy-rows.ts';

const [path = '', databaseUrl = '', owner = ''] = process.argv.slice(2);
const limits = parseLimits(loadConfig({ env: {}, cwd: tmpdir() }));
const started = performance.now();
const client = new pg.Client({ connectionString: databaseUrl });
await client.connect();
await client.query('BEGIN');
const hash = createHash('sha256');
for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
const access = await fileAccess(path);
const fileId = randomUUID();
const ids: string[] = [];

async function* rows(): AsyncGenerator<string> {
  for await (const batch of parseUpload(access, { source: 'slack', filename: 'export.zip', metadata: {}, limits })) {
    const to = { owner, source: 'slack', account: batch.account ?? 'default' };
    const lines: string[] = [];
    for (const record of batch.records) {
      const { id, line } = copyRow(record, to);
      lines.push(line);
      ids.push(id);
    }
    yield lines.join('');
  }
}
await pipeline(Readable.from(rows()), client.query(copyFrom(`COPY parsed_content (${COPY_COLUMNS}) FROM STDIN`)));
await pipeline(
  Readable.from(ids.map((id) => `${fileId}\t${id}\t1\n`)),
  client.query(copyFrom('COPY file_records (file_id, record_id, attempt) FROM STDIN')),
);
await client.query('COMMIT');
const ms = performance.now() - started;
await access.close();
await client.end();
console.log(JSON.stringify({ ms, records: ids.length, sha256: hash.digest('hex') }));
