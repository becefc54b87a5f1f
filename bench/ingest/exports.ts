/** Slack exports of a given size on disk, for the ingestion rows. */
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { SLACK_BYTES_PER_MESSAGE, slackExport } from '../../samples/slack/export.ts';

/** Writes an export of about `bytes` unpacked and stored uncompressed, so that the file is as large as its content. */
export async function writeExport(path: string, bytes: number): Promise<void> {
  const messages = Math.round(bytes / SLACK_BYTES_PER_MESSAGE);
  await pipeline(slackExport({ messages, seed: 'bench', compress: false }), createWriteStream(path));
}
