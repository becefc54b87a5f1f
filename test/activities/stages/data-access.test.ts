/** Which keys of the object store two callers may read as data, and which settings say so. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadConfig } from '../../../src/schema/config.ts';
import { isOpenData, parseDataPlace } from '../../../src/schema/data-places.ts';
import { type StageKit, stageKit } from './kit.ts';

const KEYS = [
  'imports/a.csv',
  'shared/deep/b.csv',
  'one.csv',
  'private/c.csv',
  'importsx/d.csv',
  'top.csv',
  'outputs/alice/e.csv',
  'outputs/bob/f.csv',
  'uploads/9b2f1a52-c7d9-4f0a-9a3d-0b7f6c2e41d8',
];
let kit: StageKit;
let plain: StageKit;
beforeAll(async () => {
  plain = await stageKit({ DATA_PREFIXES: '' });
  kit = await stageKit({ DATA_PREFIXES: 'imports/, shared,one.csv' });
  for (const one of [plain, kit]) for (const key of KEYS) await one.put(key, 'a\n1\n');
});
afterAll(async () => {
  await plain.close();
  await kit.close();
});

/** `rows`, or the code of the refusal. */
const read = (of: StageKit, source: string, who: { owner: string; all_owners?: boolean }) =>
  of.run('data-ingestion', { source }, who).then(
    ({ dataset }) => dataset?.rows,
    (error: { code: string }) => error.code,
  );
const readable = async (of: StageKit, who: { owner: string; all_owners?: boolean }) => {
  const results = await Promise.all(KEYS.map((key) => read(of, key, who)));
  return KEYS.filter((_, at) => results[at] === 1);
};

test('two callers read what is open, and each what is its own; who may see everything reads everything', async () => {
  expect(await readable(plain, { owner: 'alice' })).toEqual(['imports/a.csv', 'outputs/alice/e.csv']);
  const open = ['imports/a.csv', 'shared/deep/b.csv', 'one.csv'];
  expect(await readable(kit, { owner: 'alice' })).toEqual([...open, 'outputs/alice/e.csv']);
  expect(await readable(kit, { owner: 'bob' })).toEqual([...open, 'outputs/bob/f.csv']);
  expect(await readable(kit, { owner: 'root', all_owners: true })).toEqual(KEYS);
});

test('by prefix no more than by key, and the whole bucket never', async () => {
  const alice = { owner: 'alice' };
  expect(await read(kit, 'imports/', alice)).toBe(1);
  expect(await read(kit, `s3://${kit.deps.objects.bucket}/imports`, alice)).toBe(1);
  expect(await read(kit, 'shared/deep/', alice)).toBe(1);
  for (const source of ['private/', 'private', 'importsx', 'import', 'p']) {
    expect(await read(kit, source, alice), source).toBe('not_found');
  }
  for (const source of ['outputs/bob/', 'uploads/', `s3://${kit.deps.objects.bucket}`]) {
    expect(await read(kit, source, alice), source).toBe('forbidden');
  }
  expect(await read(kit, 'imports/../private/c.csv', alice)).toBe('invalid_input');
  expect(await read(kit, 'private/', { owner: 'root', all_owners: true })).toBe(1);
});

test('what may not be read is refused in the words for what is not there', async () => {
  const words = (source: string) =>
    kit.run('data-ingestion', { source }, { owner: 'alice' }).catch((error: Error) => error.message);
  const absent = await words('private/none.csv');
  expect(await words('private/c.csv')).toBe(String(absent).replace('none.csv', 'c.csv'));
});

test('another bucket needs S3, though it be named', async () => {
  const named = await stageKit({ DATA_BUCKETS: 'lake', DATA_PREFIXES: 's3://lake/' });
  expect(await read(named, 's3://lake/a.csv', { owner: 'root', all_owners: true })).toBe('forbidden');
  await named.close();
});

test('settings that cannot be meant are refused at the start', () => {
  const load = (env: Record<string, string>) => () => loadConfig({ env, cwd: '/' });
  for (const entry of ['a//b', '../x', 'a/../b', 's3://', 's3://UPPER/x', 's3://a/x']) {
    expect(load({ DATA_PREFIXES: entry }), entry).toThrow(/DATA_PREFIXES/);
  }
  expect(load({ DATA_BUCKETS: 'Not a bucket' })).toThrow(/DATA_BUCKETS/);
  expect(load({ DATA_PREFIXES: 's3://lake/x/' })).toThrow('names the bucket lake, which DATA_BUCKETS does not');
  expect(load({ DATA_PREFIXES: 's3://lake/x/', DATA_BUCKETS: 'lake' })().DATA_PREFIXES).toEqual(['s3://lake/x/']);
  expect(parseDataPlace('/')).toEqual({ bucket: null, prefix: '' });
  expect(isOpenData(['s3://lake/'], 'own', { bucket: 'own', key: 'a' })).toBe(false);
  expect(isOpenData(['imports/'], 'own', { bucket: 'lake', key: 'imports/a' })).toBe(false);
});
