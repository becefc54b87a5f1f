/** What this program promises, each promise with what proves it. `requirements.test.ts` holds the two together. */
import { DOORS, PROOF, QUERY } from './requirements/doors.ts';
import { SKELETON, START } from './requirements/house.ts';
import { INGESTION } from './requirements/ingestion.ts';

export type { Proof } from './requirements/shape.ts';

export const REQUIREMENTS = [...START, ...SKELETON, ...INGESTION, ...QUERY, ...DOORS, ...PROOF];
