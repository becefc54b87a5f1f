/** Resources: what a client can read by address rather than call. */
import { ResourceNotFoundError, type Server } from '@modelcontextprotocol/server';
import { callerOf } from './caller.ts';
import type { ResourcesService } from './contract.ts';

export function attachResources(server: Server, resources: ResourcesService): void {
  server.setRequestHandler('resources/list', async (_request, context) => ({
    resources: await resources.list(callerOf(context).principal),
  }));
  server.setRequestHandler('resources/templates/list', async (_request, context) => ({
    resourceTemplates: (await resources.templates?.(callerOf(context).principal)) ?? [],
  }));
  server.setRequestHandler('resources/read', async ({ params: { uri } }, context) => {
    const contents = await resources.read(callerOf(context).principal, uri);
    if (!contents) throw new ResourceNotFoundError(uri);
    return { contents: [contents] } as { contents: [{ uri: string; text: string }] };
  });
}
