/** Starting again when a port that was free is taken a moment later. */
import { expect, test } from 'vitest';
import { withFreshPorts } from '../../src/local/ports.ts';

test('a lost race for a port is run again with other ports', async () => {
  let runs = 0;
  const started = await withFreshPorts(async () => {
    runs += 1;
    if (runs < 3) throw new Error('temporal ended: listen tcp 127.0.0.1:18000: bind: address already in use');
    return 'up';
  });
  expect(started).toBe('up');
  expect(runs).toBe(3);
});

test('a third lost race is an error, and so is any other failure at once', async () => {
  let runs = 0;
  const taken = () => {
    runs += 1;
    return Promise.reject(new Error('bind: address already in use'));
  };
  await expect(withFreshPorts(taken)).rejects.toThrow('address already in use');
  expect(runs).toBe(3);
  runs = 0;
  await expect(
    withFreshPorts(() => {
      runs += 1;
      return Promise.reject(new Error('disk full'));
    }),
  ).rejects.toThrow('disk full');
  expect(runs).toBe(1);
});
