/** Pipeline files: what is taken, what is refused and where, and the place of every fault. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { faultLine } from '../../src/cli/object-file.ts';
import { MOST_FILE_BYTES, parsePipelineFile, readPipelineFile } from '../../src/cli/pipeline-file.ts';

const YAML = `# six stages, two of them here
name: daily
stages:
  - name: in
    type: data-ingestion
    config: { source: "s3://bucket/a.csv" }
  - name: out
    type: output
    timeout: 0
    tiemout: 3
dependencies:
  - { from: 0, to: 1 }
`;

const faultsOf = (text: string, path = 'p.yaml') =>
  parsePipelineFile(text, path).faults.map((fault) => faultLine(path, fault));

describe('what is in it', () => {
  test('YAML and JSON say the same', () => {
    const { value: definition, faults } = parsePipelineFile(YAML, 'p.yaml');
    expect(faults).toEqual([]);
    expect(definition).toMatchObject({ name: 'daily', stages: [{ name: 'in' }, { name: 'out', timeout: 0 }] });
    expect(parsePipelineFile(JSON.stringify(definition, null, '\t'), 'p.json').value).toEqual(definition);
  });

  test('anchors and merges are written out', () => {
    const text =
      'base: &base { timeout: 60, required: true }\nstages:\n  - { <<: *base, name: a }\n  - { <<: *base, name: b, timeout: 9 }\n';
    expect(parsePipelineFile(text, 'p.yml').value?.stages).toEqual([
      { timeout: 60, required: true, name: 'a' },
      { timeout: 9, required: true, name: 'b' },
    ]);
  });

  test('words of YAML 1.1 stay text', () => {
    expect(parsePipelineFile('a: yes\nb: 2026-03-01\nc: 0123\n', 'p.yaml').value).toEqual({
      a: 'yes',
      b: '2026-03-01',
      c: 123,
    });
  });
});

describe('what is refused, with its place', () => {
  test.each([
    ['a key twice', 'name: a\nstages: []\nname: b\n', 'p.yaml:3:1: this key stands twice in its mapping'],
    ['a tab', 'stages:\n\t- name: a\n', 'p.yaml:2:1: tabs cannot indent YAML: use spaces'],
    ['a tag', 'name: !js/function "x"\n', 'p.yaml:1:7: tags (!…) are not taken here'],
    ['a tag of YAML 1.1', 'name: !!binary aGk=\n', 'p.yaml:1:7: tags (!…) are not taken here'],
    ['a second document', 'name: a\n---\nname: b\n', /^p\.yaml:[23]:\d: a second document begins here/],
    ['an unclosed quote', 'name: "a\n', /^p\.yaml:\d:\d: missing closing "quote/],
    ['an endless number', 'a:\n  b: .inf\n', 'p.yaml:2:6: a number must be finite'],
    ['a key that is no text', '? [a, b]\n: 1\n', 'p.yaml:1:3: a key must be text'],
    ['an unknown alias', 'a: *b\n', 'p.yaml:1:4: no anchor &b stands before this alias'],
    ['an alias of itself', 'a: &a\n  b: *a\n', 'p.yaml:2:6: *a stands inside what it stands for'],
    ['no mapping', '- a\n- b\n', 'p.yaml:1:1: must be a mapping: name, description, stages, dependencies'],
    ['nothing', '# only a comment\n', 'p.yaml:1:1: the file is empty'],
  ])('%s', (_name, text, line) => {
    const faults = faultsOf(text);
    expect(faults).toHaveLength(1);
    if (typeof line === 'string') expect(faults[0]).toBe(line);
    else expect(faults[0]).toMatch(line);
  });

  test('every fault at once', () => {
    expect(faultsOf('a: 1\na: 2\nb: 1\nb: 2\n')).toHaveLength(2);
  });

  test('aliases of aliases, and many of them', () => {
    const level = (name: string, of: string) => `${name}: &${name} [${Array(9).fill(of).join(', ')}]\n`;
    const bomb = `${level('a', 'x')}${level('b', '*a')}${level('c', '*b')}${level('d', '*c')}${level('e', '*d')}`;
    expect(faultsOf(bomb)).toEqual([expect.stringMatching(/aliases of aliases/)]);
    const many = `a: &a 1\nb: [${Array(101).fill('*a').join(', ')}]\n`;
    expect(faultsOf(many)).toEqual([expect.stringMatching(/^p\.yaml:2:\d+: more than 100 aliases$/)]);
  });

  test('a small file that aliases make large', () => {
    const text = `a: &a "${'x'.repeat(2_000)}"\nb: [${Array(60).fill('*a').join(', ')}]\n`;
    expect(faultsOf(text)).toEqual(['p.yaml:1:1: over 60 KiB with its aliases written out']);
  });

  test('nesting without an end', () => {
    expect(faultsOf('['.repeat(30_000))).toEqual(['p.yaml:1:1: nested too deep']);
    expect(faultsOf(`${'{"a":'.repeat(9_000)}1${'}'.repeat(9_000)}`, 'p.json')).toEqual([
      'p.json:1:1: nested too deep',
    ]);
  });

  test('JSON is held to JSON', () => {
    expect(faultsOf('{\n  "name": "a",\n}', 'p.json')).toEqual([
      'p.json:3:1: not JSON: Expected double-quoted property name',
    ]);
    expect(faultsOf('name: a', 'p.json')[0]).toMatch(/^p\.json:1:\d: not JSON: /);
    expect(faultsOf('{"a": 1, "b": {\n"c": 1, "c": 2}}', 'p.json')).toEqual([
      'p.json:2:9: this key stands twice in its mapping',
    ]);
  });
});

describe('the place of a field', () => {
  const placed = (path: string, message = 'wrong', text = YAML) => {
    const [fault] = parsePipelineFile(text, 'p.yaml').place([{ path, message }]);
    return fault && [fault.line, fault.column];
  };

  test.each([
    ['a value', 'stages.1.timeout', [9, 14]],
    ['in brackets', 'stages[1].timeout', [9, 14]],
    ['inside a flow', 'stages.0.config.source', [6, 23]],
    ['a list at its key', 'stages', [3, 1]],
    ['a stage', 'stages.1', [7, 5]],
    ['a field that is missing: what should hold it', 'stages.1.config.format', [7, 5]],
    ['a field of a flow mapping in a list', 'dependencies.0.to', [12, 20]],
    ['nothing known', 'nowhere', [2, 1]],
  ])('%s', (_name, path, place) => {
    expect(placed(path)).toEqual(place);
  });

  test('an unknown key at the key', () => {
    expect(placed('stages.1', 'Unrecognized key: "tiemout"')).toEqual([10, 5]);
    expect(placed('stages.1.tiemout', 'is not known here')).toEqual([10, 5]);
  });

  test('keys with dots, and values behind an alias', () => {
    expect(placed('config.a.b.c', 'wrong', 'config:\n  a.b:\n    c: 1\n')).toEqual([3, 8]);
    expect(placed('b.x', 'wrong', 'a: &a\n  x: 1\nb: *a\n')).toEqual([2, 6]);
  });

  test('faults come in the order of the file', () => {
    const { place } = parsePipelineFile(YAML, 'p.yaml');
    const faults = place([
      { path: 'dependencies.0.to', message: 'second' },
      { path: 'name', message: 'first' },
    ]);
    expect(faults.map((fault) => fault.message)).toEqual(['first', 'second']);
  });

  test('JSON with tabs', () => {
    const [fault] = parsePipelineFile('{\n\t"stages": [\n\t\t{"timeout": 0}\n\t]\n}', 'p.json').place([
      { path: 'stages.0.timeout', message: 'wrong' },
    ]);
    expect([fault?.line, fault?.column]).toEqual([3, 15]);
  });
});

describe('the file itself', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'ostinato-cli-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test.each([
    ['too large', Buffer.alloc(MOST_FILE_BYTES + 1, '#'), 'over 60 KiB'],
    ['not text', Buffer.from([0xff, 0xfe, 0x00]), 'is not UTF-8 text'],
  ])('%s', async (_name, bytes, message) => {
    const path = join(folder, 'p.yaml');
    writeFileSync(path, bytes);
    await expect(readPipelineFile(path)).rejects.toMatchObject({ exit: 2, message: `${path}: ${message}` });
  });

  test('missing, or a folder', async () => {
    await expect(readPipelineFile(join(folder, 'none'))).rejects.toMatchObject({ exit: 2 });
    await expect(readPipelineFile(folder)).rejects.toMatchObject({ exit: 2, message: `${folder}: is a folder` });
  });

  test('the largest one is taken', async () => {
    const path = join(folder, 'p.yaml');
    writeFileSync(path, `name: a\n#${'x'.repeat(MOST_FILE_BYTES - 9)}`);
    expect((await readPipelineFile(path)).value).toEqual({ name: 'a' });
  });
});
