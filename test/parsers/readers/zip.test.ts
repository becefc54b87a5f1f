/** Archives: entries as streams from any byte, large ones inflated piece by piece, many at once. */
import { expect, test } from 'vitest';
import { bufferAccess } from '../../../src/parsers/readers/access.ts';
import { openZip } from '../../../src/parsers/readers/zip.ts';
import { LIMITS, run, zipOf } from '../helpers.ts';

/** Over the size that is unpacked in one call, and hard to pack. */
const values = Array.from({ length: 40_000 }, (_, id) => ({
  id,
  text: `${Math.imul(id, 2_654_435_761) >>> 0} ${id * 7919}`,
}));
const large = Buffer.from(JSON.stringify(values));

async function bytesOf(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

test.each([true, false])('an entry is read from any byte on (packed: %s)', async (compress) => {
  const zip = await zipOf({ 'large.json': large, 'small.json': '[1,2,3]' }, { compress });
  const archive = await openZip(bufferAccess(zip), LIMITS, () => true);
  expect(archive.names).toEqual(['large.json', 'small.json']);
  expect(archive.sizes).toEqual([large.length, 7]);
  for (const offset of [0, 1, 300_000, large.length - 1, large.length]) {
    expect(large.subarray(offset).equals(await bytesOf(archive.open(0, offset)))).toBe(true);
  }
  expect((await bytesOf(archive.open(1, 3))).toString()).toBe('2,3]');
});

test('a large entry goes on from every batch and can be left early', async () => {
  const zip = await zipOf({ 'large.json': large });
  const whole = await run(zip, { filename: 'a.zip', batchRecords: 11_000 });
  expect(whole.records).toHaveLength(values.length);
  for (const [index, batch] of whole.batches.entries()) {
    const rest = await run(zip, { filename: 'a.zip', batchRecords: 11_000, resume: batch.resume });
    const behind = whole.batches.slice(index + 1).flatMap((one) => one.records);
    expect(rest.records.map((one) => one.external_id)).toEqual(behind.map((one) => one.external_id));
  }
  for await (const part of (await openZip(bufferAccess(zip), LIMITS, () => true)).open(0)) {
    expect(part.length).toBeLessThan(large.length);
    break;
  }
});

test('a large entry that unpacks to more than it says stops there', async () => {
  const zip = await zipOf({ 'large.json': large });
  zip.writeUInt32LE(1_200_000, zip.indexOf(Buffer.from([0x50, 0x4b, 1, 2])) + 24);
  const archive = await openZip(bufferAccess(zip), LIMITS, () => true);
  await expect(bytesOf(archive.open(0))).rejects.toMatchObject({ code: 'archive_bomb' });
});

test('damage in the middle of a large entry keeps the records before it', async () => {
  const zip = await zipOf({ 'large.json': large, 'small.json': '[{"id":"after"}]' });
  zip.fill(0xff, 300_000, 300_400);
  const { records, errors } = await run(zip, { filename: 'a.zip' });
  expect(records.length).toBeGreaterThan(100);
  expect(records.length).toBeLessThan(values.length);
  expect(records.at(-1)?.external_id).toBe('small.json:after:0');
  // Damaged packed bytes may still unpack, to what is no JSON.
  expect(errors.at(-1)?.entry).toBe('large.json');
});

test('thousands of small entries', async () => {
  const files = Object.fromEntries(Array.from({ length: 1_000 }, (_, id) => [`general/${id}.json`, `[{"id":${id}}]`]));
  const { records, errors } = await run(await zipOf(files), {
    filename: 'a.zip',
    limits: { ...LIMITS, max_entries: 1_000 },
  });
  expect(records.map((one) => one.entry)).toEqual(Array.from({ length: 1_000 }, (_, id) => id));
  expect(errors).toEqual([]);
});
