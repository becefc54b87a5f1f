/** Definitions: what is accepted, and every fault with its place. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of pipelines
import { describe, expect, test } from 'vitest';
import { Failure } from '../../../src/schema/failures.ts';
import { checkedDefinition, definitionFaults } from '../../../src/services/pipelines/check.ts';
import { SEED } from './seed.ts';

const options = { operates: (name: string) => name === 'query.run', maxTimeout: 3600 };

const stage = (name: string, more: object = {}) => ({ name, type: 'transformation', ...more });
const pipeline = (stages: object[], dependencies: object[] = []) => ({ name: 'p', stages, dependencies });
const faults = (raw: unknown) => definitionFaults(raw, options);

describe('accepted', () => {
  test('the pipeline of the seed', () => {
    expect(checkedDefinition(SEED, options)).toMatchObject({ ...SEED, description: SEED.description });
  });

  test('every field at once', () => {
    const whole = pipeline(
      [
        stage('load', { type: 'data-ingestion', config: { source: '${input.source}', delimiter: '${parameters.d}' } }),
        stage('clean-up', {
          when: 'stages.load.output.rows > 0 && parameters.clean',
          on_failure: { compensate: 'undo' },
          retry: { max_attempts: 2 },
          config: { sql: 'SELECT * FROM input LIMIT ${stages.load.output.rows}' },
        }),
        stage('each', {
          type: 'operation',
          operation: 'query.run',
          input: { query: 'about ${item} of ${stages.clean-up.output.rows}' },
          for_each: { items: '${parameters.topics}', concurrency: 2 },
          approval: { message: 'go?', deadline_seconds: 60, on_timeout: 'approve' },
        }),
        stage('undo', { config: { sql: "SELECT '${stages.clean-up.error.code}' AS code" } }),
        stage('sent', { type: 'processing', executor: 'agent', capabilities: ['gpu'], config: { anything: [1] } }),
      ],
      [
        { from: 0, to: 1 },
        { from: 1, to: 2 },
      ],
    );
    expect(faults(whole)).toEqual([]);
  });

  test('a template stands for any value, and a built-in stage is checked around it', () => {
    expect(faults(pipeline([stage('a', { type: 'processing', config: { batch_size: '${parameters.n}' } })]))).toEqual(
      [],
    );
    expect(
      faults(
        pipeline([stage('a', { type: 'processing', config: { batch_size: '${parameters.n}', parallel_workers: 0 } })]),
      ),
    ).toMatchObject([{ path: 'stages.0.config.parallel_workers' }]);
  });

  test('fifty stages, each after the one before', () => {
    const stages = Array.from({ length: 50 }, (_, n) => stage(`s${n}`));
    const edges = stages.slice(1).map((_, n) => ({ from: n, to: n + 1 }));
    expect(faults(pipeline(stages, edges))).toEqual([]);
  });
});

const two = [stage('a'), stage('b')];

test.each<[string, unknown, string, RegExp]>([
  ['no stages', pipeline([]), 'stages', /./],
  ['too many stages', pipeline(Array.from({ length: 51 }, (_, n) => stage(`s${n}`))), 'stages', /50/],
  ['no object', 7, '(pipeline)', /./],
  ['no name', { stages: two }, 'name', /./],
  ['an unknown field', { ...pipeline(two), color: 1 }, 'color', /not known/],
  ['an unknown field of a stage', pipeline([stage('a', { colour: 1 })]), 'stages.0.colour', /not known/],
  ['an unknown type', pipeline([stage('a', { type: 'magic' })]), 'stages.0.type', /one of data-ingestion/],
  ['a name that is none', pipeline([stage('../a')]), 'stages.0.name', /letters/],
  ['a duplicate name', pipeline([stage('a'), stage('a')]), 'stages.1.name', /"a" is the name of stage 0 already/],
  ['a timeout of nothing', pipeline([stage('a', { timeout: 0 })]), 'stages.0.timeout', /1/],
  ['a timeout over the bound', pipeline([stage('a', { timeout: 3601 })]), 'stages.0.timeout', /1 to 3600 seconds/],
  ['a timeout in words', pipeline([stage('a', { timeout: 'long' })]), 'stages.0.timeout', /number/],
  ['a self edge', pipeline(two, [{ from: 1, to: 1 }]), 'dependencies.0', /cannot depend on itself/],
  ['an unknown index', pipeline(two, [{ from: 0, to: 2 }]), 'dependencies.0.to', /no stage 2; the last one is 1/],
  ['a negative index', pipeline(two, [{ from: -1, to: 1 }]), 'dependencies.0.from', /./],
  [
    'a duplicate edge',
    pipeline(two, [
      { from: 0, to: 1 },
      { from: 0, to: 1 },
    ]),
    'dependencies.1',
    /same as dependencies.0/,
  ],
  [
    'a circle',
    pipeline(
      [stage('a'), stage('b'), stage('c'), stage('d')],
      [
        { from: 0, to: 1 },
        { from: 1, to: 2 },
        { from: 2, to: 1 },
        { from: 2, to: 3 },
      ],
    ),
    'dependencies',
    /circle: b → c → b$/,
  ],
  ['a bad config', pipeline([stage('a', { config: { sql: 'DROP TABLE x' } })]), 'stages.0.config.sql', /SELECT/],
  ['an unknown setting', pipeline([stage('a', { config: { squl: 'x' } })]), 'stages.0.config.squl', /not known/],
  ['no operation', pipeline([stage('a', { type: 'operation' })]), 'stages.0.operation', /names the operation/],
  [
    'an unknown operation',
    pipeline([stage('a', { type: 'operation', operation: 'no.such' })]),
    'stages.0.operation',
    /no operation "no.such"/,
  ],
  [
    'a config of an operation',
    pipeline([stage('a', { type: 'operation', operation: 'query.run', config: {} })]),
    'stages.0.config',
    /does not belong/,
  ],
  [
    'an operation elsewhere',
    pipeline([stage('a', { operation: 'query.run' })]),
    'stages.0.operation',
    /type operation only/,
  ],
  [
    'capabilities without an agent',
    pipeline([stage('a', { executor: 'builtin', capabilities: ['x'] })]),
    'stages.0.capabilities',
    /agents only/,
  ],
  ['an unparsable when', pipeline([stage('a', { when: 'parameters.n >' })]), 'stages.0.when', /./],
  ['a when of unknown names', pipeline([stage('a', { when: 'process.exit(1)' })]), 'stages.0.when', /./],
  ['an unparsable template', pipeline([stage('a', { config: { sql: 'SELECT ${1 +}' } })]), 'stages.0.config.sql', /./],
  [
    'a template without end',
    pipeline([stage('a', { config: { sql: 'SELECT ${1' } })]),
    'stages.0.config.sql',
    /without its/,
  ],
  [
    'a stage that is not there',
    pipeline([stage('a', { when: 'stages.x.output.rows > 0' })]),
    'stages.0.when',
    /no stage "x"/,
  ],
  [
    'a stage beside it',
    pipeline([stage('a'), stage('b', { when: 'stages.a.output.rows > 0' })]),
    'stages.1.when',
    /"a" is not upstream/,
  ],
  [
    'a stage by a computed name',
    pipeline([stage('a', { when: 'stages[parameters.x].output.rows > 0' })]),
    'stages.0.when',
    /by name/,
  ],
  ['an item outside', pipeline([stage('a', { when: 'item == 1' })]), 'stages.0.when', /for_each only/],
  [
    'too many items',
    pipeline([stage('a', { for_each: { items: '[1]', limit: 1001 } })]),
    'stages.0.for_each.limit',
    /1000/,
  ],
  [
    'attempts without end',
    pipeline([stage('a', { retry: { max_attempts: 99 } })]),
    'stages.0.retry.max_attempts',
    /20/,
  ],
  [
    'a compensation that is not there',
    pipeline([stage('a', { on_failure: { compensate: 'u' } })]),
    'stages.0.on_failure.compensate',
    /no stage "u"/,
  ],
  [
    'a compensation of itself',
    pipeline([stage('a', { on_failure: { compensate: 'a' } })]),
    'stages.0.on_failure.compensate',
    /itself/,
  ],
  [
    'a compensation inside the graph',
    pipeline([stage('a', { on_failure: { compensate: 'b' } }), stage('b')], [{ from: 0, to: 1 }]),
    'stages.0.on_failure.compensate',
    /has dependencies/,
  ],
  [
    'a compensation of two',
    pipeline([
      stage('a', { on_failure: { compensate: 'c' } }),
      stage('b', { on_failure: { compensate: 'c' } }),
      stage('c'),
    ]),
    'stages.1.on_failure.compensate',
    /compensates stage 0 already/,
  ],
])('refused: %s', (_, raw, path, message) => {
  const found = faults(raw);
  const fault = found.find((one) => one.path === path);
  expect(fault, JSON.stringify(found)).toBeDefined();
  expect(fault?.message).toMatch(message);
  expect(() => checkedDefinition(raw, options)).toThrow(Failure);
});

test('every fault is told at once, under the one code', () => {
  const raw = pipeline(
    [stage('a', { type: 'magic', timeout: 9999 }), stage('a', { when: '1 +' })],
    [
      { from: 0, to: 0 },
      { from: 0, to: 9 },
    ],
  );
  const error = ((): Failure => {
    try {
      checkedDefinition(raw, options);
    } catch (thrown) {
      return thrown as Failure;
    }
    throw new Error('accepted');
  })();
  expect(error.code).toBe('invalid_pipeline');
  expect(error.faults.map(({ path }) => path).sort()).toEqual([
    'dependencies.0',
    'dependencies.1.to',
    'stages.0.timeout',
    'stages.0.type',
    'stages.1.name',
    'stages.1.when',
  ]);
});

test('a definition over 60 KiB is refused as such', () => {
  const raw = pipeline([stage('a', { config: { sql: `SELECT '${'x'.repeat(62_000)}'` } })]);
  expect(faults(raw)).toMatchObject([{ path: '(pipeline)', message: expect.stringContaining('61440') }]);
});

test('a definition nested without end, or with what cannot be kept, is refused as such', () => {
  const deep = JSON.parse(`${'['.repeat(20_000)}${']'.repeat(20_000)}`);
  expect(faults(pipeline([stage('a', { config: { deep } })]))).toMatchObject([
    { message: expect.stringContaining('64 deep') },
  ]);
  expect(faults(pipeline([stage('a', { config: { sql: 'SELECT \u0000' } })]))).toMatchObject([
    { message: expect.stringContaining('NUL') },
  ]);
});
