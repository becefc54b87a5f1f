/** Bare servers of the SDK that the door is built on: the same tools, no house behind them. */
import { createMcpHandler, McpServer, Server } from '@modelcontextprotocol/server';
import { NOOP_OPERATIONS, NOOP_RESULT, TOOL_LIST } from './tools.ts';

const INFO = { name: 'bare', version: '1.0.0' };

/** The least the SDK can do: a prebuilt list and a handler that returns a constant. */
export function bareCurrent(): (request: Request) => Promise<Response> {
  return createMcpHandler(() => {
    const server = new Server(INFO, { capabilities: { tools: {} } });
    server.setRequestHandler('tools/list', () => ({ tools: TOOL_LIST }));
    server.setRequestHandler('tools/call', () => NOOP_RESULT);
    return server;
  }).fetch;
}

/** As the SDK's guide shows it: every tool registered on the server of every request. */
export function registeredCurrent(): (request: Request) => Promise<Response> {
  return createMcpHandler(() => {
    const server = new McpServer(INFO);
    for (const { mcp, input, output } of NOOP_OPERATIONS) {
      if (!mcp) continue;
      const { title, description } = mcp;
      server.registerTool(
        mcp.tool,
        { title, description, inputSchema: input, outputSchema: output },
        async () => NOOP_RESULT,
      );
    }
    return server;
  }).fetch;
}
