/** Every sample pipeline can be run as it is. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { operations } from '../../../src/operations/index.ts';
import { definitionFaults } from '../../../src/services/pipelines/check.ts';

const FOLDER = fileURLToPath(new URL('../../../samples/pipelines/', import.meta.url));

test.each(readdirSync(FOLDER))('%s', (name) => {
  const definition: unknown = parse(readFileSync(FOLDER + name, 'utf8'));
  const operates = (wanted: string) => operations.some((operation) => operation.name === wanted);
  expect(definitionFaults(definition, { operates, maxTimeout: 3600 })).toEqual([]);
});
