/** Bare servers of the SDK's previous generation with the same tools, stateless like the door. */

import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  CallToolRequestSchema,
  ListToolsRequestSchema,
  type ListToolsResult,
} from '@modelcontextprotocol/sdk/types.js';
import { NOOP_OPERATIONS, NOOP_RESULT, TOOL_LIST } from './tools.ts';

const INFO = { name: 'bare', version: '1.0.0' };

/** The least it can do: a prebuilt list, a handler that returns a constant, JSON rather than a stream. */
export function barePrevious(): (request: Request) => Promise<Response> {
  return async (request) => {
    const server = new Server(INFO, { capabilities: { tools: {} } });
    server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: TOOL_LIST }) as unknown as ListToolsResult);
    server.setRequestHandler(CallToolRequestSchema, () => NOOP_RESULT);
    const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true });
    await server.connect(transport as Transport);
    return transport.handleRequest(request);
  };
}

/** As its guide shows it: every tool registered on the server of every request. */
export function registeredPrevious(): (request: Request) => Promise<Response> {
  return async (request) => {
    const server = new McpServer(INFO);
    for (const { mcp, input, output } of NOOP_OPERATIONS) {
      if (!mcp) continue;
      const { title, description } = mcp;
      server.registerTool(
        mcp.tool,
        { title, description, inputSchema: input.shape, outputSchema: output },
        async () => NOOP_RESULT,
      );
    }
    const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true });
    await server.connect(transport as Transport);
    return transport.handleRequest(request);
  };
}
