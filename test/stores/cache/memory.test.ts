/** The cache in the process: the common contract, and its bound. */
import { expect, test } from 'vitest';
import { openCache } from '../../../src/stores/cache/index.ts';
import { memoryCache } from '../../../src/stores/cache/memory.ts';
import { cacheContract } from './contract.ts';

cacheContract('memory', async () => openCache({ REDIS_URL: undefined }));

test('stays within its bytes: what was used longest ago goes, and what never fits is not kept', async () => {
  const cache = memoryCache({ maxBytes: 100_000 });
  for (let at = 0; at < 8; at += 1) await cache.set(`k${at}`, 'x'.repeat(5_000), 60);
  await cache.get('k0');
  await cache.set('k8', 'x'.repeat(5_000), 60);
  await cache.set('k9', 'x'.repeat(5_000), 60);
  expect(await cache.get('k1')).toBeNull();
  expect(await cache.get('k0')).not.toBeNull();
  await cache.set('huge', 'x'.repeat(60_000), 60);
  expect(await cache.get('huge')).toBeNull();
  expect(await cache.get('k9')).not.toBeNull();
});
