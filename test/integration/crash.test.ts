/** Kill -9 of every part at random moments of an ingestion: nothing is lost, nothing is double, nothing is left. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BATCH, type Campaign, startCampaign } from '../support/crash.ts';
import { contents } from '../support/truth.ts';

const ROUNDS = 20;

describe('crashes', () => {
  let campaign: Campaign;
  beforeAll(async () => {
    campaign = await startCampaign(20_260, (line) => console.log(line));
  }, 240_000);
  afterAll(async () => {
    await campaign?.stop();
  }, 60_000);

  for (let index = 0; index < ROUNDS; index++) {
    test(`round ${index + 1}: what is left equals an undisturbed run`, { timeout: 300_000 }, async () => {
      const { undisturbed } = campaign;
      const { round, after, left, file } = await campaign.round(index);
      expect(contents(after)).toEqual(undisturbed.contents);
      expect(after.objects).toEqual([`uploads/${file.file_id}`]);
      expect(after.links).toBe(undisturbed.records);
      expect(file.total_records).toBe(undisturbed.records);
      expect(file.vector_count).toBe(undisturbed.records);
      expect(round.emitted).toBeGreaterThanOrEqual(undisturbed.records);
      expect(round.emitted).toBeLessThanOrEqual(undisturbed.records + BATCH);
      expect({ rows: left.rows.size, vectors: left.vectors, objects: left.objects, links: left.links }).toEqual({
        rows: 0,
        vectors: [],
        objects: [],
        links: 0,
      });
    });
  }
});
