/** Small texts that a stage leaves behind as artifacts. */
import { createHash } from 'node:crypto';
import type { Deps } from '../../deps.ts';
import type { ArtifactRef } from '../../schema/stages/contract.ts';

export async function artifactOf(
  deps: Pick<Deps, 'objects'>,
  artifact: { name: string; prefix: string; media_type: string; text: string },
): Promise<ArtifactRef> {
  const { name, prefix, media_type, text } = artifact;
  const bytes = Buffer.from(text);
  const key = `${prefix}${name}`;
  await deps.objects.put(key, bytes);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { name, key, media_type, bytes: bytes.length, sha256, rows: null };
}
