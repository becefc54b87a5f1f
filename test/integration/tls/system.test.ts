/** The whole system under TLS as a user starts it: its addresses, its health, its command line, its MCP over pipes. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readRuntime } from '../../../src/local/runtime.ts';
import { makeAuthority } from '../../support/authority.ts';
import { removeDataDir, type System, startSystem } from '../../support/system.ts';

const CLI = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));

const authority = makeAuthority();
let system: System;
let url: string;
beforeAll(async () => {
  const { cert, key } = authority.issue('api');
  system = await startSystem({ TLS_CERT: cert, TLS_KEY: key });
  url = system.url.replace('http:', 'https:');
});
afterAll(async () => {
  await system?.stop();
  if (system) removeDataDir(system);
  authority.remove();
});

function get(path: string): Promise<{ status: number; body: string }> {
  const options = { ca: readFileSync(authority.ca), headers: { authorization: `Bearer ${system.key}` } };
  return new Promise((resolve, reject) => {
    const asked = request(url + path, options, (response) => {
      let body = '';
      response
        .on('data', (chunk) => (body += chunk))
        .on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    asked.on('error', reject).end();
  });
}

function cli(
  args: string[],
  env: Record<string, string>,
  input = '',
): Promise<{ code: number | null; out: string; err: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', CLI, ...args], {
      cwd: system.dataDir,
      env: { ...process.env, OSTINATO_URL: url, OSTINATO_API_KEY: system.key, ...env },
    });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk) => (out += chunk));
    child.stderr.on('data', (chunk) => (err += chunk));
    child.on('close', (code) => resolve({ code, out, err }));
    child.stdin.end(input);
  });
}

describe('the system under TLS', () => {
  it('announces https and is healthy', async () => {
    expect(system.output()).toContain(`API           ${url}`);
    expect(system.output()).toContain(`MCP           ${url}/mcp`);
    expect(readRuntime(system.dataDir)?.addresses.api).toBe(url);
    const { status, body } = await get('/health');
    expect([status, JSON.parse(body).status]).toEqual([200, 'ok']);
    expect(JSON.parse((await get('/api/v1/whoami')).body)).toMatchObject({ role: 'admin' });
    const { body: metrics } = await get('/metrics');
    for (const name of ['ostinato_requests_total', 'ostinato_task_slots 50', 'ostinato_open_sockets']) {
      expect(metrics).toContain(name);
    }
  });

  it('serves the command line that trusts its authority, and is refused by the one that does not', async () => {
    const trusting = await cli(['files', 'list', '--json'], { TLS_CA: authority.ca });
    expect([trusting.code, trusting.err]).toEqual([0, '']);
    const doubting = await cli(['files', 'list', '--json'], {});
    expect(doubting.code).toBe(3);
    expect(doubting.err).toMatch(/CERT|VERIFY|certificate/i);
    const wrong = await cli(['files', 'list'], { TLS_CA: '/nowhere/ca.pem' });
    expect(wrong.err).toContain('TLS_CA: /nowhere/ca.pem is not there');
    expect(wrong.code).toBe(2);
  });

  it('serves MCP over pipes', async () => {
    const initialize = {
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
    };
    const { code, out } = await cli(['mcp'], { TLS_CA: authority.ca }, `${JSON.stringify(initialize)}\n`);
    expect(code).toBe(0);
    expect(JSON.parse(out.split('\n')[0] ?? '')).toMatchObject({ id: 1, result: { serverInfo: expect.anything() } });
  });
});

describe('a wrong certificate', () => {
  it('keeps the system from starting and is named', async () => {
    const { cert } = authority.issue('one');
    const { key } = authority.issue('two');
    await expect(startSystem({ TLS_CERT: cert, TLS_KEY: key }, authority.folder)).rejects.toThrow(
      `ostinato: TLS_KEY: ${key} is not the key`,
    );
    await expect(startSystem({ TLS_CERT: cert }, authority.folder)).rejects.toThrow(
      'ostinato: TLS_KEY: must be set too, because TLS_CERT is',
    );
  });
});
