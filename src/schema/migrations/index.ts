/** The one list of migrations, oldest first. Never edit one that has landed; add the next. */
import type { Kysely } from 'kysely';
import { up as ingestion } from './0001_ingestion.ts';
import { up as control } from './0002_control.ts';
import { up as credentials } from './0003_credentials.ts';
import { up as limits } from './0004_limits.ts';
import { up as eventHorizon } from './0005_event_horizon.ts';
import { up as taskQueue } from './0006_task_queue.ts';
import { up as agentSigns } from './0007_agent_signs.ts';
import { up as fairLanes } from './0008_fair_lanes.ts';
import { up as agentSharing } from './0009_agent_sharing.ts';
import { up as liveConnections } from './0010_live_connections.ts';
import { up as pipelineTries } from './0011_pipeline_tries.ts';
import { up as waitingAgents } from './0012_waiting_agents.ts';
import { up as offlineSince } from './0013_offline_since.ts';
import { up as namelessPlaces } from './0014_nameless_places.ts';
import { up as runLists } from './0015_run_lists.ts';

export const MIGRATIONS: { name: string; up(db: Kysely<never>): Promise<void> }[] = [
  { name: '0001_ingestion', up: ingestion },
  { name: '0002_control', up: control },
  { name: '0003_credentials', up: credentials },
  { name: '0004_limits', up: limits },
  { name: '0005_event_horizon', up: eventHorizon },
  { name: '0006_task_queue', up: taskQueue },
  { name: '0007_agent_signs', up: agentSigns },
  { name: '0008_fair_lanes', up: fairLanes },
  { name: '0009_agent_sharing', up: agentSharing },
  { name: '0010_live_connections', up: liveConnections },
  { name: '0011_pipeline_tries', up: pipelineTries },
  { name: '0012_waiting_agents', up: waitingAgents },
  { name: '0013_offline_since', up: offlineSince },
  { name: '0014_nameless_places', up: namelessPlaces },
  { name: '0015_run_lists', up: runLists },
];
