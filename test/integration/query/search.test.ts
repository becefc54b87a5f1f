/** Search on a real Postgres and LanceDB: what is found, what is never shown, how pages follow. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Failure } from '../../../src/schema/failures.ts';
import type { Principal } from '../../../src/schema/principal.ts';
import { QueryInput, QueryOutput } from '../../../src/schema/query.ts';
import { type SearchDeps, search } from '../../../src/services/search/search.ts';
import { land, openStage, principal, type Stage } from './stage.ts';

const NOW = Date.parse('2025-03-19T12:00:00Z');
const FILE = '7e0d6a51-6f0c-4b8e-9d53-2d6b3f6c1c11';
const ana = principal('ana');
const boris = principal('boris');
let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
  await land(
    stage.deps,
    'ana',
    'slack',
    [
      {
        external_id: 'm1',
        content_type: 'message',
        author: 'Marta Santos',
        occurred_at: '2025-03-12T09:00:00Z',
        text: 'The deployment failed again: <script>alert(1)</script> & rollback "done"',
      },
      {
        external_id: 'm2',
        content_type: 'message',
        author: 'Ivo Lindqvist',
        occurred_at: '2025-03-18T09:00:00Z',
        text: 'We deploy the billing service on Friday',
      },
      {
        external_id: 'm3',
        content_type: 'message',
        author: 'Ivo Lindqvist',
        occurred_at: '2025-01-05T09:00:00Z',
        text: 'Lunch is at noon in the garden',
      },
      {
        external_id: 'f1',
        content_type: 'file',
        title: 'Billing runbook',
        occurred_at: '2024-11-05T09:00:00Z',
        text: 'Steps to restart the billing service after an outage',
      },
    ],
    { fileId: FILE },
  );
  await land(stage.deps, 'ana', 'gong', [
    {
      external_id: 'c1',
      content_type: 'transcript',
      title: 'Renewal call',
      author: 'Marta Santos',
      occurred_at: '2025-02-14T15:00:00Z',
      text: 'The customer wants a lower price for the renewal of the billing service',
    },
  ]);
  await land(stage.deps, 'boris', 'slack', [
    {
      external_id: 'b1',
      content_type: 'message',
      author: 'Marta Santos',
      text: 'Private: the deployment of the billing service of Boris',
    },
  ]);
});
afterAll(() => stage.close());

async function ask(
  who: Principal,
  input: Record<string, unknown>,
  deps: SearchDeps = stage.deps,
): Promise<QueryOutput> {
  return QueryOutput.parse(await search(deps, who, QueryInput.parse(input), NOW));
}
const texts = (output: QueryOutput) => output.results.map((result) => result.text);

describe('what is found', () => {
  test.each(['keyword', 'semantic', 'hybrid'])('%s search finds the record that answers', async (mode) => {
    const output = await ask(ana, { query: 'billing service outage', mode });
    expect(output.mode).toBe(mode);
    expect(output.results[0]?.text).toBe('Steps to restart the billing service after an outage');
    expect(output.result_count).toBe(output.results.length);
  });

  test('other forms of a word match, and an author by name', async () => {
    expect(texts(await ask(ana, { query: 'deploying', mode: 'keyword' }))).toHaveLength(2);
    const byAuthor = await ask(ana, { query: 'Santos', mode: 'keyword' });
    expect(byAuthor.results.map((result) => result.author)).toEqual(['Marta Santos', 'Marta Santos']);
  });

  test('records with every word come before those with some; a rare word outweighs a common one', async () => {
    const output = await ask(ana, { query: 'restart billing service', mode: 'keyword' });
    expect(output.results[0]?.title).toBe('Billing runbook');
    expect(output.results.length).toBe(3);
  });

  test('quotes, minus and or are obeyed', async () => {
    expect(texts(await ask(ana, { query: '"restart the billing"', mode: 'keyword' }))).toHaveLength(1);
    expect(texts(await ask(ana, { query: '"billing restart"', mode: 'keyword' }))).toEqual([]);
    const without = await ask(ana, { query: 'billing -renewal', mode: 'keyword' });
    expect(without.results.map((result) => result.title)).toEqual(expect.not.arrayContaining(['Renewal call']));
    expect(without.results).toHaveLength(2);
    expect(texts(await ask(ana, { query: 'lunch or rollback', mode: 'keyword' }))).toHaveLength(2);
  });

  test('stop words alone, and characters of the query language, are no error', async () => {
    expect(texts(await ask(ana, { query: 'the of and', mode: 'keyword' }))).toEqual([]);
    for (const query of ["'", '!!!', '& | !', ':*', '"', '<->', "a'b\\c", '-', '((('])
      await ask(ana, { query: `${query} billing`, mode: 'hybrid' });
  });

  test('matches are marked, everything else is escaped', async () => {
    const [first] = (await ask(ana, { query: 'rollback deployment', mode: 'keyword' })).results;
    expect(first?.highlights).toContain('<mark>deployment</mark> failed');
    expect(first?.highlights).toContain('<mark>rollback</mark>');
    expect(first?.highlights).toContain('&lt;script&gt;alert(1)&lt;/script&gt; &amp;');
    expect(first?.highlights.replaceAll(/<\/?mark>/g, '')).not.toMatch(/[<>"]/);
  });

  test('links lead to the record and its file', async () => {
    const [first] = (await ask(ana, { query: 'rollback', mode: 'keyword' })).results;
    expect(first?.links).toEqual({ record: `/api/v1/records/${first?.id}`, file: `/api/v1/files/${FILE}` });
    const [call] = (await ask(ana, { query: 'renewal', mode: 'keyword' })).results;
    expect(call?.links.file).toBeNull();
  });
});

describe('filters', () => {
  test.each(['keyword', 'semantic', 'hybrid'])('%s search keeps to each filter', async (mode) => {
    const base = { query: 'billing service', mode };
    const kinds = async (more: object) => (await ask(ana, { ...base, ...more })).results;
    expect(new Set((await kinds({ sources: ['gong'] })).map((r) => r.source_type))).toEqual(new Set(['gong']));
    expect(new Set((await kinds({ content_types: ['file'] })).map((r) => r.content_type))).toEqual(new Set(['file']));
    expect(new Set((await kinds({ author: 'Ivo Lindqvist' })).map((r) => r.author))).toEqual(
      new Set(['Ivo Lindqvist']),
    );
    expect((await kinds({ from: '2025-02-01', to: '2025-02-14' })).map((r) => r.title)).toEqual(['Renewal call']);
    expect(await kinds({ from: '2025-02-01', to: '2025-02-14T15:00:00Z' })).toEqual([]);
  });

  test('date words limit the search and leave the text', async () => {
    const output = await ask(ana, { query: 'billing service last month' });
    expect(output.interpreted).toEqual({
      text: 'billing service',
      from: '2025-02-01T00:00:00.000Z',
      to: '2025-03-01T00:00:00.000Z',
      phrase: 'last month',
    });
    expect(output.results.map((result) => result.title)).toEqual(['Renewal call']);
  });

  test('explicit bounds win over date words', async () => {
    const output = await ask(ana, { query: 'billing last month', from: '2025-03-01', mode: 'keyword' });
    expect(output.interpreted).toMatchObject({ text: 'billing', from: '2025-03-01T00:00:00.000Z', to: null });
    expect(texts(output)).toEqual(['We deploy the billing service on Friday']);
  });

  test('nothing but date words gives the newest of that time', async () => {
    const output = await ask(ana, { query: 'this month' });
    expect(output.results.map((result) => result.occurred_at?.slice(0, 10))).toEqual(['2025-03-18', '2025-03-12']);
    expect(output.notice).toContain('newest first');
  });

  test('an empty range is refused', async () => {
    await expect(ask(ana, { query: 'x', from: '2025-02-02', to: '2025-02-01' })).rejects.toMatchObject({
      code: 'invalid_input',
    });
  });
});

describe('what is never shown', () => {
  test.each(['keyword', 'semantic', 'hybrid'])(
    '%s search shows an owner its own, a grant the granted, an admin all',
    async (mode) => {
      const seen = async (who: Principal) =>
        texts(await ask(who, { query: 'private deployment billing', mode })).filter((text) =>
          text.startsWith('Private'),
        );
      expect(await seen(ana)).toEqual([]);
      expect(await seen(boris)).toHaveLength(1);
      expect((await ask(boris, { query: 'private deployment billing', mode })).results).toHaveLength(1);
      expect(await seen(principal('carla', 'analyst', [{ resource: 'owner:boris', access: 'read' }]))).toHaveLength(1);
      expect(await seen(principal('root', 'admin'))).toHaveLength(1);
    },
  );

  test('a vector whose row is gone, or belongs to another, never becomes a result', async () => {
    const { deps } = stage;
    const [gone] = await land(deps, 'ana', 'slack', [
      { external_id: 'gone', content_type: 'message', text: 'zeppelin over the harbour' },
    ]);
    await deps.db
      .deleteFrom('parsed_content')
      .where('record_id', '=', gone ?? '')
      .execute();
    // A vector filed under the wrong owner: the row decides.
    const [foreign] = await land(deps, 'boris', 'slack', [
      { external_id: 'foreign', content_type: 'message', text: 'zeppelin in the hangar' },
    ]);
    const [vector] = (await deps.embedder?.embed(['zeppelin in the hangar'])) ?? [];
    await deps.vectors?.upsert([
      {
        id: foreign ?? '',
        vector: vector ?? new Float32Array(),
        owner: 'ana',
        source: 'slack',
        content_type: 'message',
        author: null,
        occurred_at: null,
        content_hash: 'x',
      },
    ]);
    const hits = await deps.vectors?.search(vector ?? new Float32Array(), 2, { owners: ['ana'] });
    expect(hits?.map((hit) => hit.id).sort()).toEqual([gone, foreign].sort());
    for (const mode of ['semantic', 'hybrid']) {
      const output = await ask(ana, { query: 'zeppelin hangar', mode });
      expect(texts(output).filter((text) => text.includes('zeppelin'))).toEqual([]);
    }
  });
});

describe('modes', () => {
  const off = () => ({ ...stage.deps, embedder: null, vectors: null, semanticOff: 'no weights could be had' });

  test('without an embedder hybrid answers by words and says so', async () => {
    const output = await ask(ana, { query: 'billing' }, off());
    expect(output).toMatchObject({ mode: 'keyword', notice: 'Keyword search only: no weights could be had' });
    expect(output.results.length).toBeGreaterThan(0);
  });

  test('without an embedder semantic is refused with the reason', async () => {
    await expect(ask(ana, { query: 'billing', mode: 'semantic' }, off())).rejects.toMatchObject({
      code: 'semantic_unavailable',
      message: expect.stringContaining('no weights could be had'),
    });
  });

  test('with a model that cannot be had hybrid tells why, and semantic answers as the model does', async () => {
    const refusal = new Failure('semantic_unavailable', 'the weights cannot be fetched');
    const embedder = { name: 'absent', dimensions: 384, embed: () => Promise.reject(refusal), close: async () => {} };
    const absent = { ...stage.deps, embedder };
    expect((await ask(ana, { query: 'billing' }, absent)).notice).toBe('the weights cannot be fetched');
    await expect(ask(ana, { query: 'billing', mode: 'semantic' }, absent)).rejects.toBe(refusal);
  });

  test('with a failing embedder hybrid answers by words, uncached, and semantic is unavailable', async () => {
    const embedder = {
      ...stage.deps.embedder,
      name: 'broken',
      dimensions: 384,
      embed: () => Promise.reject(new Error('down')),
      close: async () => {},
    };
    const broken = { ...stage.deps, embedder };
    const first = await ask(ana, { query: 'billing outage' }, broken);
    expect(first).toMatchObject({ mode: 'keyword', cache_hit: false });
    expect(first.notice).toContain('does not answer');
    expect((await ask(ana, { query: 'billing outage' }, broken)).cache_hit).toBe(false);
    await expect(ask(ana, { query: 'billing outage', mode: 'semantic' }, broken)).rejects.toMatchObject({
      code: 'unavailable',
    });
  });
});

describe('pages', () => {
  test('follow each other without a gap or a repeat, in every mode', async () => {
    const many = Array.from({ length: 45 }, (_, index) => ({
      external_id: `p${index}`,
      content_type: 'contact' as const,
      text: `Orchid grower number ${index} ${'soil '.repeat(index % 7)}`,
    }));
    await land(stage.deps, 'ana', 'hubspot', many);
    for (const mode of ['keyword', 'semantic', 'hybrid']) {
      const seen: string[] = [];
      const base = { query: 'orchid grower', sources: ['hubspot'], limit: 20, mode };
      let page = await ask(ana, base);
      expect(page.total).toBe(45);
      seen.push(...page.results.map((result) => result.id));
      while (page.next_cursor) {
        page = await ask(ana, { ...base, cursor: page.next_cursor });
        seen.push(...page.results.map((result) => result.id));
      }
      expect(seen).toHaveLength(45);
      expect(new Set(seen).size).toBe(45);
    }
  });

  test('a cursor of another query is refused', async () => {
    const { next_cursor } = await ask(ana, { query: 'orchid grower', limit: 5 });
    const other = ask(ana, { query: 'orchid soil', limit: 5, cursor: next_cursor });
    await expect(other).rejects.toMatchObject({ code: 'invalid_input' });
    await expect(ask(ana, { query: 'x', cursor: '%%%' })).rejects.toMatchObject({ code: 'invalid_input' });
  });
});
