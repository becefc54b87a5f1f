/** Every workflow type against its recorded histories: today's code must take the decisions of yesterday. */
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { beforeAll, describe, expect, test } from 'vitest';
import { dataConverter } from '../../src/clients/temporal.ts';
import { loadConfig } from '../../src/schema/config.ts';
import { WORKFLOWS } from '../../src/schema/names.ts';
import { workflowBundle } from '../../src/workers/bundle.ts';

const FOLDER = fileURLToPath(new URL('./histories/', import.meta.url));
const config = loadConfig({ env: {}, cwd: tmpdir() });
const names = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));
const read = (name: string) => JSON.parse(readFileSync(join(FOLDER, name), 'utf8'));

let bundle: { codePath: string };
beforeAll(async () => {
  // The doctored ones fail loudly by design.
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { forward: {}, filter: 'OFF' } },
  });
  bundle = await workflowBundle(config.cacheDir);
});

const replay = (history: unknown) =>
  Worker.runReplayHistory({ workflowBundle: bundle, dataConverter: dataConverter(config) }, history);

/** Makes the first step of a history another one, whether it went over a queue or ran in place; false if it has none. */
function doctor(history: any): boolean {
  for (const {
    activityTaskScheduledEventAttributes: scheduled,
    markerRecordedEventAttributes: marker,
  } of history.events) {
    if (scheduled) {
      scheduled.activityType.name = 'somethingElse';
      return true;
    }
    const payload = marker?.markerName === 'core_local_activity' ? marker.details.data.payloads[0] : undefined;
    if (payload) {
      const step = JSON.parse(Buffer.from(payload.data, 'base64').toString());
      payload.data = Buffer.from(JSON.stringify({ ...step, activity_type: 'somethingElse' })).toString('base64');
      return true;
    }
  }
  return false;
}

describe('recorded histories', () => {
  test.each(Object.values(WORKFLOWS))('%s has one', (type) => {
    expect(names.some((name) => name.startsWith(`${type}-`))).toBe(true);
  });

  test.each(names)('%s replays', async (name) => {
    await replay(read(name));
  });

  test.each(names)('%s is under 30 events unless somebody interfered', (name) => {
    const interfered = /paused|cancelled|asked/.test(name);
    expect(read(name).events.length).toBeLessThanOrEqual(interfered ? 60 : 30);
  });

  test.each(names)('%s fails when doctored', async (name) => {
    const history = read(name);
    expect(doctor(history)).toBe(true);
    await expect(replay(history)).rejects.toThrow(DeterminismViolationError);
  });
});
