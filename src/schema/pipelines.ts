/** What a pipeline is made of, as callers write it: stages, their dependencies, and how an execution is asked for. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: how templates of pipelines are written
import { z } from 'zod';
import { isShallow, isStorable } from './json.ts';
import { EXECUTORS, STAGE_TYPES } from './names.ts';

/** Most stages of a pipeline, items of one `for_each`, and bytes of a definition as JSON. */
export const MAX_STAGES = 50;
export const MAX_ITEMS = 1_000;
export const MAX_DEFINITION_BYTES = 60 * 1024;
/** Most bytes of `input_data` and `parameters` together: larger input belongs into a file. */
export const MAX_RUN_INPUT_BYTES = 256 * 1024;
/** An approval that nobody decides ends after a week, unless the stage says otherwise; the longest is 90 days. */
export const APPROVAL_SECONDS = 7 * 86_400;
const MAX_APPROVAL_SECONDS = 90 * 86_400;

export const STORABLE = 'must hold neither NUL characters nor lone surrogates';
/** Ids as we make them; anything else is nobody's. */
export const PipelineId = z.string().regex(/^[A-Za-z0-9_-]{1,100}$/, 'must be an id that we gave');
/** Deepest nesting of anything that goes with a pipeline or a run. */
export const MAX_DEPTH = 64;
const JsonObjectShape = z
  .record(z.string().max(200), z.json())
  .refine(isStorable, STORABLE)
  .refine((value) => isShallow(value, MAX_DEPTH), { message: `must nest ${MAX_DEPTH} deep at most` });
export const StageName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}$/, 'must be 1 to 100 letters, digits, spaces, dots, dashes or underscores');

const Approval = z.union([
  z.boolean(),
  z.strictObject({
    message: z.string().max(2_000).optional().describe('what the one who decides should know'),
    deadline_seconds: z.int().min(1).max(MAX_APPROVAL_SECONDS).optional(),
    on_timeout: z.enum(['reject', 'approve']).optional(),
  }),
]);

export const StageDefinition = z.strictObject({
  name: StageName,
  type: z.enum(STAGE_TYPES),
  required: z.boolean().default(true).describe('false: the run goes on when this stage fails'),
  timeout: z.int().min(1).optional().describe('seconds that one attempt may take'),
  config: JsonObjectShape.optional().describe('what a built-in stage is to do; text may hold ${…}'),
  when: z
    .string()
    .min(1)
    .max(2_000)
    .optional()
    .describe(
      'CEL over input, parameters and stages; false skips the stage, and what depends on it runs on what had reached it',
    ),
  on_failure: z
    .union([z.enum(['fail', 'skip', 'continue']), z.strictObject({ compensate: StageName })])
    .optional()
    .describe(
      'fail the run; skip what depends on the stage; continue, so that what depends on it sees it failed; or run a stage that compensates it. When absent: fail, or continue if it is not required',
    ),
  for_each: z
    .strictObject({
      items: z.union([z.string().min(1).max(2_000), z.array(z.json()).min(1).max(MAX_ITEMS)]),
      limit: z.int().min(1).max(MAX_ITEMS).optional().describe('a longer list fails the stage; 1,000 unless told'),
      concurrency: z.int().min(1).max(100).optional().describe('items at once; 4 unless told'),
    })
    .optional(),
  retry: z
    .strictObject({
      max_attempts: z.int().min(1).max(20).default(3),
      backoff_seconds: z.number().min(0).max(3_600).default(1).describe('doubles with each attempt'),
    })
    .optional(),
  approval: Approval.optional(),
  executor: z.enum(EXECUTORS).optional(),
  capabilities: z.array(z.string().min(1).max(100)).max(20).optional().describe('what an agent must be able to do'),
  operation: z.string().min(1).max(100).optional().describe('for type operation: its name, such as query.run'),
  input: JsonObjectShape.optional().describe('for type operation: its input; text may hold ${…}'),
});
export type StageDefinition = z.output<typeof StageDefinition>;

export const PipelineDefinition = z.strictObject({
  name: z.string().trim().min(1).max(200),
  description: z.string().max(4_000).default(''),
  stages: z.array(StageDefinition).min(1).max(MAX_STAGES),
  dependencies: z
    .array(z.strictObject({ from: z.int().min(0), to: z.int().min(0) }))
    .max(MAX_STAGES * MAX_STAGES)
    .default([])
    .describe('stage `to` starts when stage `from` is done; both count from 0'),
});
export type PipelineDefinition = z.output<typeof PipelineDefinition>;

export const Notification = z.strictObject({
  webhook: z
    .url({ protocol: /^https?$/ })
    .max(2_000)
    .refine(isStorable, STORABLE)
    .optional()
    .describe('gets a signed POST when the run ends or waits for an approval'),
  email: z.email().max(320).optional(),
  credential: z
    .string()
    .min(1)
    .max(200)
    .refine(isStorable, STORABLE)
    .optional()
    .describe('name of an outgoing credential that calls to the webhook carry'),
});
export type Notification = z.output<typeof Notification>;

export const Execution = z.object({
  input_data: JsonObjectShape.nullish().describe('what the run works on; stages read it as ${input…}'),
  parameters: JsonObjectShape.default({}).describe('settings of this run; stages read them as ${parameters…}'),
  notification: Notification.nullish(),
  version: z.coerce.number().int().min(1).optional().describe('an older version; the newest unless told'),
});
export type Execution = z.output<typeof Execution>;
