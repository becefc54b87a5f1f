/** The folder store: the common contract, and what only files can do wrong. */
import { mkdir, mkdtemp, readdir, realpath, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { folderStore } from '../../../src/stores/objects/folder.ts';
import { objectStoreContract } from './contract.ts';

let root: string;
beforeAll(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'objects-')));
});
afterAll(() => rm(root, { recursive: true, force: true }));

objectStoreContract('folder', async () => folderStore({ root: join(root, 'contract'), bucket: 'test-bucket' }));

test('does not follow links out of its folder', async () => {
  const store = folderStore({ root: join(root, 'links'), bucket: 'bucket' });
  const outside = join(root, 'outside');
  await mkdir(outside);
  await writeFile(join(outside, 'secret'), 'secret');
  const base = join(root, 'links', 'bucket');
  await symlink(outside, join(base, 'folder'));
  await symlink(join(outside, 'secret'), join(base, 'file'));
  const forbidden = { code: 'forbidden' };
  await expect(store.get('folder/secret')).rejects.toMatchObject(forbidden);
  await expect(store.get('file')).rejects.toMatchObject(forbidden);
  await expect(store.put('folder/new', Buffer.from('x'))).rejects.toMatchObject(forbidden);
  await expect(store.put('folder/deeper/new', Buffer.from('x'))).rejects.toMatchObject(forbidden);
  await expect(store.delete('folder/secret')).rejects.toMatchObject(forbidden);
  const listed = [];
  for await (const entry of store.list('')) listed.push(entry.key);
  expect(listed).toEqual([]);
  expect(await readdir(outside)).toEqual(['secret']);
  await store.put('file', Buffer.from('a link is replaced, never written through'));
  expect(await store.stat('file')).toMatchObject({ size: 41 });
});

test('sweeps what an interrupted put left, by its age', async () => {
  const store = folderStore({ root: join(root, 'sweep'), bucket: 'bucket' });
  const unfinished = join(root, 'sweep', '.tmp', 'bucket');
  await writeFile(join(unfinished, 'old'), 'x');
  await writeFile(join(unfinished, 'new'), 'x');
  await utimes(join(unfinished, 'old'), new Date(0), new Date(1_000_000));
  expect(await store.sweepUnfinished(new Date(2_000_000))).toBe(1);
  expect(await readdir(unfinished)).toEqual(['new']);
});

test('leaves no empty folders behind and says when a name is taken by a folder', async () => {
  const store = folderStore({ root: join(root, 'prune'), bucket: 'bucket' });
  await store.put('a/b/c', Buffer.from('x'));
  await expect(store.put('a/b', Buffer.from('x'))).rejects.toMatchObject({ code: 'conflict' });
  await expect(store.put('a/b/c/d', Buffer.from('x'))).rejects.toMatchObject({ code: 'conflict' });
  await store.delete('a/b');
  await store.move('a/b/c', 'z');
  await store.delete('z');
  expect(await readdir(join(root, 'prune', 'bucket'))).toEqual([]);
  expect(await readdir(join(root, 'prune', '.tmp', 'bucket'))).toEqual([]);
});
