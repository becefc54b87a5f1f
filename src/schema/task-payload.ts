/** How the built-in executor reads the payload of a task, and what can be told of it before it begins. */
import type { JsonObject } from './json.ts';
import type { TaskType } from './names.ts';
import { stageFaults } from './stages/index.ts';

/** What a stage is given of a payload. */
export interface PayloadParts {
  config: JsonObject;
  input_data: JsonObject | null;
  parameters: JsonObject;
}

/** `{data_source, parameters, config?}` as seed 001 writes it; what a stage needs besides stands in `config`. */
export function partsOfPayload(payload: JsonObject): PayloadParts {
  const { data_source, parameters, config, input_data, ...rest } = payload;
  const given = isObject(config) ? config : rest;
  return {
    config: {
      ...(data_source === undefined ? {} : { data_source }),
      // How the source is to be read; where the task names none they are parameters of the stage alone.
      ...(data_source === undefined || !isObject(parameters) ? {} : { parameters }),
      ...given,
    },
    input_data: isObject(input_data) ? input_data : null,
    parameters: isObject(parameters) ? parameters : {},
  };
}

const SOURCES = ['source', 'sources', 'data_source', 'rows', 'records'];

/**
 * Why the built-in executor cannot do this payload; null when it may try: what the data hold is not known here, nor is
 * it whether they are there.
 */
export function builtinFault(type: TaskType, payload: JsonObject): string | null {
  const { config, input_data, parameters } = partsOfPayload(payload);
  const [fault] = stageFaults(type, config);
  if (fault) return `${fault.path || 'the configuration'} ${fault.message}`;
  const named =
    type === 'data-ingestion'
      ? [config, input_data, parameters].some((place) => SOURCES.some((name) => place?.[name] !== undefined))
      : [config.data_source, input_data?.source, input_data?.rows].some((source) => source !== undefined);
  return named ? null : 'it names no data_source';
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
