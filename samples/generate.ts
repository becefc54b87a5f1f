/** Writes the bundled samples: `npm run samples`. No clock and no chance: the same bytes every time. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createLabels, type Labels, type SampleFile } from './labels.ts';
import { singleChannel, workspace } from './slack/workspace.ts';
import { gongFiles } from './sources/gong.ts';
import { hubspotFiles } from './sources/hubspot.ts';
import { lookerFiles } from './sources/looker.ts';
import { salesforceFiles } from './sources/salesforce.ts';
import { QUESTIONS } from './stories/questions.ts';
import { zipStream } from './zip.ts';

/** Every sample file by its path below `samples/data`, and what the labels stand for. */
export async function sampleFiles(): Promise<{ files: SampleFile[]; labels: Labels }> {
  const labels = createLabels();
  const entries = workspace(labels).map(({ name, text }) => ({ name, content: () => [text] }));
  const archive: Uint8Array[] = [];
  for await (const chunk of zipStream(entries)) archive.push(chunk);
  const files = [
    { path: 'slack/brightwater-export.zip', content: Buffer.concat(archive) },
    { path: 'slack/support.json', content: singleChannel('support') },
    ...gongFiles(labels),
    ...salesforceFiles(labels),
    ...lookerFiles(labels),
    ...hubspotFiles(labels),
  ];
  return { files, labels };
}

/** `questions.json`: labels turned into the records they stand for. */
export function questions(labels: Labels): unknown[] {
  return QUESTIONS.map(([query, relevant], index) => ({
    id: `q${String(index + 1).padStart(2, '0')}`,
    query,
    relevant: Object.entries(relevant).map(([label, grade]) => ({ ...labels.get(label), grade })),
  }));
}

async function main(): Promise<void> {
  const root = join(import.meta.dirname, 'data');
  const { files, labels } = await sampleFiles();
  await rm(root, { recursive: true, force: true });
  let bytes = 0;
  for (const file of files) {
    const path = join(root, file.path);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, file.content);
    bytes += Buffer.byteLength(file.content);
  }
  await writeFile(join(import.meta.dirname, 'questions.json'), `${JSON.stringify(questions(labels), null, 2)}\n`);
  process.stdout.write(`${files.length} files, ${bytes} bytes in samples/data\n`);
}

if (import.meta.main) await main();
