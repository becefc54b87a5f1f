/** The bundled samples: every file reads without a fault, every record keeps the contract, every labelled id exists. */
import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { questions, sampleFiles } from '../../../samples/generate.ts';
import { SOURCE_MAPPINGS, SOURCES } from '../../../src/schema/names.ts';
import type { ParsedRecord } from '../../../src/schema/records.ts';
import { type Outcome, readSample, sourceOf } from './read.ts';

const DATA = join(import.meta.dirname, '../../../samples/data');
const PATHS = readdirSync(DATA, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => `${entry.parentPath.slice(DATA.length + 1)}/${entry.name}`)
  .sort();

interface Labelled {
  id: string;
  query: string;
  relevant: { source: string; content_type: string; external_id: string; grade: number }[];
}

const outcomes = new Map<string, Outcome>();

beforeAll(async () => {
  for (const path of PATHS) outcomes.set(path, await readSample({ source: sourceOf(path), path }));
});

function keyOf(source: string, record: { content_type: string; external_id: string }): string {
  return `${source} ${record.content_type} ${record.external_id}`;
}

function recordsOf(path: string): ParsedRecord[] {
  return outcomes.get(path)?.records ?? [];
}

describe('samples', () => {
  it('are what the generator writes', async () => {
    const { files, labels } = await sampleFiles();
    expect(files.map((file) => file.path).sort()).toEqual(PATHS);
    for (const file of files.filter((one) => !one.path.endsWith('.zip'))) {
      expect(Buffer.from(file.content).equals(await readFile(join(DATA, file.path))), file.path).toBe(true);
    }
    const written: unknown = JSON.parse(readFileSync(join(DATA, '../questions.json'), 'utf8'));
    expect(questions(labels)).toEqual(written);
  });

  it('stay small', () => {
    const bytes = PATHS.reduce((sum, path) => sum + readFileSync(join(DATA, path)).length, 0);
    expect(bytes).toBeLessThan(1_500_000);
  });

  it.each(PATHS)('%s reads without a fault', (path) => {
    expect(recordsOf(path).length).toBeGreaterThan(0);
    // The lines a report ends with have fewer columns than its table.
    const faults = outcomes.get(path)?.errors ?? [];
    expect(faults).toEqual([]);
  });

  it.each(PATHS)('%s gives records that keep the contract', (path) => {
    const types: readonly string[] = SOURCE_MAPPINGS[sourceOf(path)].content_types;
    for (const record of recordsOf(path)) {
      expect(record.external_id).not.toBe('');
      expect(types).toContain(record.content_type);
      expect(record.text.trim()).not.toBe('');
      expect(record.text).not.toMatch(/<[@#!][^>]*>|&(?:amp|lt|gt);/);
      if (record.occurred_at !== null) expect(new Date(record.occurred_at).toISOString()).toBe(record.occurred_at);
      expect(JSON.stringify(record)).not.toContain('\\u0000');
      expect(JSON.parse(JSON.stringify(record))).toEqual(record);
    }
  });

  it.each(PATHS)('%s gives the same records twice', async (path) => {
    const again = await readSample({ source: sourceOf(path), path });
    expect(again).toEqual(outcomes.get(path));
  });

  it('hold every content type of every source', () => {
    for (const source of SOURCES) {
      const found = new Set(
        PATHS.filter((path) => sourceOf(path) === source).flatMap((path) =>
          recordsOf(path).map((record) => record.content_type as string),
        ),
      );
      expect([...found].sort()).toEqual([...SOURCE_MAPPINGS[source].content_types].sort());
    }
  });

  it('answer fifty questions with records that exist', () => {
    const known = new Set(PATHS.flatMap((path) => recordsOf(path).map((record) => keyOf(sourceOf(path), record))));
    const labelled = JSON.parse(readFileSync(join(DATA, '../questions.json'), 'utf8')) as Labelled[];
    expect(labelled).toHaveLength(50);
    expect(new Set(labelled.map((question) => question.query)).size).toBe(50);
    for (const question of labelled) {
      expect(question.relevant.length, question.query).toBeGreaterThan(0);
      for (const relevant of question.relevant) {
        expect(known, question.query).toContain(keyOf(relevant.source, relevant));
        expect([1, 2, 3]).toContain(relevant.grade);
      }
    }
  });

  it('meet in the same ids where they overlap', () => {
    const workspace = new Set(recordsOf('slack/brightwater-export.zip').map((record) => record.external_id));
    for (const record of recordsOf('slack/support.json')) expect(workspace).toContain(record.external_id);
    expect(outcomes.get('slack/support.json')?.account).toBe(outcomes.get('slack/brightwater-export.zip')?.account);
    const calls = new Set(recordsOf('gong/calls.json').map((record) => record.external_id));
    for (const record of recordsOf('gong/calls.csv')) expect(calls).toContain(record.external_id);
    const accounts = new Set(recordsOf('salesforce/Account.csv').map((record) => record.external_id));
    for (const record of recordsOf('salesforce/opportunities-report.csv')) expect(accounts).toContain(record.parent_id);
    const contacts = new Set(recordsOf('hubspot/hubspot-crm-exports-all-contacts.csv').map((one) => one.external_id));
    for (const record of recordsOf('hubspot/contacts.json')) expect(contacts).toContain(record.external_id);
  });
});
