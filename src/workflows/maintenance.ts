/** What schedules run: each is one activity, so that it shows in the Web UI with its result. */
import type { CaughtUp } from '../activities/maintenance/catch-up-vectors.ts';
import type { Reconciled } from '../activities/maintenance/reconcile.ts';
import type { Swept } from '../activities/maintenance/sweep.ts';
import { catchUpSteps, maintenanceSteps } from './steps.ts';

export async function reconcile(): Promise<Reconciled> {
  return maintenanceSteps.reconcileRuns();
}

export async function sweepStorage(): Promise<Swept> {
  return maintenanceSteps.sweepStorage();
}

export async function catchUpVectors(): Promise<CaughtUp> {
  return catchUpSteps.catchUpVectors();
}
