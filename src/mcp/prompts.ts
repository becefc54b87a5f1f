/** Prompts: what a person picks in a client to begin with: a pipeline to be drafted, a run to be explained. */
import { type Prompt, ProtocolError, ProtocolErrorCode, type Server } from '@modelcontextprotocol/server';
import { mayDo, type Permission } from '../schema/access.ts';
import type { Principal } from '../schema/principal.ts';
import { runUri } from '../schema/run-uris.ts';
import { callerOf } from './caller.ts';
import type { ResourcesService } from './contract.ts';
import { draftText, explainText } from './prompt-texts.ts';

export interface HousePrompt {
  definition: Prompt;
  permission: Permission;
  /** What the user says to the model. Throws ProtocolError when an argument leads nowhere. */
  text(args: Record<string, string>, principal: Principal): Promise<string>;
}

/** Longest argument: it stands in a prompt, not in place of one. */
const MOST_TEXT = 4_000;

/** Made once; what they say of a run is read each time. */
export function housePrompts(resources: ResourcesService): readonly HousePrompt[] {
  return [
    {
      definition: {
        name: 'draft_pipeline',
        title: 'Draft a pipeline',
        description: 'Drafts a pipeline for a goal: its stages, their configuration and how they depend on each other',
        arguments: [
          { name: 'goal', description: 'What should come out, in your own words', required: true },
          { name: 'source', description: 's3://bucket/key, file:<file_id>, https://…, or what the data is like' },
        ],
      },
      permission: 'pipelines:write',
      text: async ({ goal = '', source }) => draftText(goal, source),
    },
    {
      definition: {
        name: 'explain_run',
        title: 'Explain a run',
        description: 'Explains how a run of a pipeline went: what failed and why, what took long, what to do next',
        arguments: [{ name: 'run_id', description: 'Id of the run', required: true }],
      },
      permission: 'pipelines:read',
      async text({ run_id = '' }, principal) {
        const run = await resources.read(principal, runUri(run_id));
        if (!run || !('text' in run)) throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'No such run');
        return explainText(String(run.text));
      },
    },
  ];
}

export function attachPrompts(server: Server, prompts: readonly HousePrompt[]): void {
  const allowed = (principal: Principal) => prompts.filter(({ permission }) => mayDo(principal, permission));
  server.setRequestHandler('prompts/list', (_request, context) => ({
    prompts: allowed(callerOf(context).principal).map(({ definition }) => definition),
  }));
  server.setRequestHandler('prompts/get', async ({ params }, context) => {
    const { principal } = callerOf(context);
    const prompt = allowed(principal).find(({ definition }) => definition.name === params.name);
    if (!prompt) throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'No such prompt');
    const args = checked(prompt.definition, params.arguments ?? {});
    const text = await prompt.text(args, principal);
    return {
      description: prompt.definition.description ?? '',
      messages: [{ role: 'user' as const, content: { type: 'text' as const, text } }],
    };
  });
}

function checked(prompt: Prompt, given: Record<string, string>): Record<string, string> {
  for (const { name, required } of prompt.arguments ?? []) {
    const value = given[name];
    if (required && !value?.trim()) throw new ProtocolError(ProtocolErrorCode.InvalidParams, `${name} is missing`);
    if (value !== undefined && value.length > MOST_TEXT) {
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, `${name} is longer than ${MOST_TEXT} characters`);
    }
  }
  return given;
}
