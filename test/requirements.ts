/** What this program promises, each promise with what proves it. `requirements.test.ts` holds the two together. */
import { CALLERS, CONTROL_DOORS, LIVE } from './requirements/access.ts';
import { AGENTS, TASKS } from './requirements/agents.ts';
import { CONTROL_PROOF } from './requirements/control-proof.ts';
import { DOORS, PROOF, QUERY } from './requirements/doors.ts';
import { SKELETON, START } from './requirements/house.ts';
import { INGESTION } from './requirements/ingestion.ts';
import { DATA, NOTIFICATION, PIPELINES } from './requirements/pipelines.ts';

export type { Proof } from './requirements/shape.ts';

export const REQUIREMENTS = [
  ...[...START, ...SKELETON, ...INGESTION, ...QUERY, ...DOORS, ...PROOF],
  ...[...AGENTS, ...TASKS, ...PIPELINES, ...DATA, ...NOTIFICATION],
  ...[...LIVE, ...CALLERS, ...CONTROL_DOORS, ...CONTROL_PROOF],
];
