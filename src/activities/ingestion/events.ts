/** Events of one ingestion: the same step of the same workflow tells its event once, however often it runs. */
import type { Step } from '../../schema/ingestion.ts';
import type { JsonObject } from '../../schema/json.ts';
import type { EventName } from '../../schema/names.ts';
import type { NewEvent } from '../../stores/events.ts';

export function fileEvent(step: Step, key: string, name: EventName, data: JsonObject): NewEvent {
  return {
    name,
    owner: step.owner,
    resource: `file:${step.file_id}`,
    workflow_id: step.workflow_id,
    data,
    key: `${step.workflow_id}/${key}`,
  };
}
