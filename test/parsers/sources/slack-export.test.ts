/** The streamed Slack exports hold exactly the records that they say they hold. */
import { describe, expect, it } from 'vitest';
import { SLACK_EXPORT_TEAM, slackExport, slackExportRecords } from '../../../samples/slack/export.ts';
import { readUpload } from './read.ts';

async function bytesOf(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe('slackExport', () => {
  it.each([
    { messages: 0 },
    { messages: 1 },
    { messages: 3000, channels: 3, days: 4 },
    { messages: 500, channels: 2, days: 7, compress: false },
  ])('%j', async (options) => {
    const { account, records, errors } = await readUpload('slack', 'export.zip', await bytesOf(slackExport(options)));
    expect(errors).toEqual([]);
    expect(account).toBe(SLACK_EXPORT_TEAM);
    const expected = [...slackExportRecords(options)];
    expect(records.map(({ external_id, content_type }) => ({ external_id, content_type }))).toEqual(expected);
    expect(expected.filter((one) => one.content_type === 'message')).toHaveLength(options.messages);
    const keys = expected.map((one) => `${one.content_type} ${one.external_id}`);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('is the same for a seed and another for another', async () => {
    const one = await bytesOf(slackExport({ messages: 50, seed: 'a' }));
    expect(one.equals(await bytesOf(slackExport({ messages: 50, seed: 'a' })))).toBe(true);
    expect(one.equals(await bytesOf(slackExport({ messages: 50, seed: 'b' })))).toBe(false);
  });
});
