/** Chooses the embedder that the settings name, without waiting for a model or a server. */
import { openAiEmbedder } from '../../clients/openai-embeddings.ts';
import type { Config } from '../../schema/config.ts';
import type { Embedder } from '../contract.ts';
import { hashEmbedder } from './hash.ts';
import { miniLmEmbedder } from './minilm.ts';
import type { Progress } from './minilm-files.ts';

type Settings = Pick<
  Config,
  | 'EMBEDDINGS'
  | 'EMBEDDING_MODEL'
  | 'EMBEDDING_DIMENSIONS'
  | 'OPENAI_API_KEY'
  | 'OPENAI_BASE_URL'
  | 'OSTINATO_COMPONENT_TIMEOUT'
  | 'cacheDir'
>;

/** Either an embedder or why there is none; the reason is a sentence for the caller of a semantic search. */
export type OpenedEmbedder = { embedder: Embedder } | { off: string };

/**
 * `auto` is openai when a key or an address is set, else MiniLM. MiniLM is fetched and loaded by its first `embed`;
 * until then, and when it cannot be had, `embed` is what tells (Failure('semantic_unavailable')).
 */
export async function openEmbedder(config: Settings, onProgress?: Progress): Promise<OpenedEmbedder> {
  const openAi = config.OPENAI_API_KEY !== undefined || config.OPENAI_BASE_URL !== undefined;
  const choice = config.EMBEDDINGS === 'auto' ? (openAi ? 'openai' : 'minilm') : config.EMBEDDINGS;
  switch (choice) {
    case 'off':
      return { off: 'Semantic search is switched off (EMBEDDINGS=off).' };
    case 'hash':
      return { embedder: hashEmbedder({ dimensions: config.EMBEDDING_DIMENSIONS }) };
    case 'openai':
      if (!openAi) return { off: 'EMBEDDINGS=openai needs OPENAI_API_KEY or OPENAI_BASE_URL.' };
      return {
        embedder: openAiEmbedder({
          apiKey: config.OPENAI_API_KEY,
          baseUrl: config.OPENAI_BASE_URL,
          model: config.EMBEDDING_MODEL,
          dimensions: config.EMBEDDING_DIMENSIONS,
        }),
      };
    case 'minilm': {
      const problem = await missingRuntime();
      if (problem) return { off: `The local embedding model cannot run on this machine: ${problem}` };
      const timeoutMs = config.OSTINATO_COMPONENT_TIMEOUT * 1_000;
      return { embedder: miniLmEmbedder({ cacheDir: config.cacheDir, timeoutMs, onProgress }) };
    }
  }
}

/** The runtime has binaries for some platforms only; loading it is what finds out. */
async function missingRuntime(): Promise<string | null> {
  try {
    await import('onnxruntime-node');
    return null;
  } catch (error) {
    return error instanceof Error ? (error.message.split('\n')[0] ?? error.name) : String(error);
  }
}
