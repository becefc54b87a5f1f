/** The bundled samples as records, read by the parsers, and the questions labelled over them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseLimits } from '../../../src/parsers/limits.ts';
import { parseUpload } from '../../../src/parsers/parse-upload.ts';
import { fileAccess } from '../../../src/parsers/readers/access.ts';
import { loadConfig } from '../../../src/schema/config.ts';
import { type ContentType, SOURCES, type Source } from '../../../src/schema/names.ts';
import type { ParsedRecord } from '../../../src/schema/records.ts';

const SAMPLES = join(import.meta.dirname, '../../../samples');

export interface Question {
  id: string;
  query: string;
  relevant: { source: Source; content_type: ContentType; external_id: string; grade: number }[];
}

export function readQuestions(): Question[] {
  return JSON.parse(readFileSync(join(SAMPLES, 'questions.json'), 'utf8')) as Question[];
}

/** Every record of every sample file by source; one per type and external id, as the table keeps them. */
export async function readSamples(): Promise<Map<Source, ParsedRecord[]>> {
  const limits = parseLimits(loadConfig({ env: {}, cwd: SAMPLES }));
  const all = new Map<Source, ParsedRecord[]>();
  for (const source of SOURCES) {
    const records = new Map<string, ParsedRecord>();
    const folder = join(SAMPLES, 'data', source);
    for (const filename of readdirSync(folder).sort()) {
      const access = await fileAccess(join(folder, filename));
      for await (const batch of parseUpload(access, { source, filename, limits })) {
        for (const record of batch.records) records.set(`${record.content_type}:${record.external_id}`, record);
      }
      await access.close();
    }
    all.set(source, [...records.values()]);
  }
  return all;
}
