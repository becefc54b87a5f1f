/** Each test file gets a database and a namespace of its own on the shared servers. */
import { Client, Connection } from '@temporalio/client';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SEARCH_ATTRIBUTES } from '../../../src/schema/names.ts';
import { type TestStack, testStack } from '../../support/stack.ts';

describe('testStack', () => {
  let stack: TestStack;
  beforeAll(async () => {
    stack = await testStack();
  });
  afterAll(() => stack.close());

  it('has a migrated database', async () => {
    const client = new pg.Client({ connectionString: stack.databaseUrl });
    await client.connect();
    const { rows } = await client.query<{ name: string }>('select name from migrations order by name');
    await client.end();
    expect(rows.length).toBeGreaterThan(0);
  });

  it('has a namespace that knows our search attributes', async () => {
    const connection = await Connection.connect({ address: stack.temporalAddress });
    const client = new Client({ connection, namespace: stack.temporalNamespace });
    const handle = await client.workflow.start('none', {
      taskQueue: 'nobody',
      workflowId: 'only',
      searchAttributes: { [SEARCH_ATTRIBUTES.kind]: ['test'] },
    });
    expect((await handle.describe()).status.name).toBe('RUNNING');
    await handle.terminate();
    await connection.close();
  });

  it('configures a process for both', () => {
    const config = stack.config({ LOG_LEVEL: 'error' });
    expect(config).toMatchObject({
      DATABASE_URL: stack.databaseUrl,
      TEMPORAL_NAMESPACE: stack.temporalNamespace,
      LOG_LEVEL: 'error',
    });
  });
});
