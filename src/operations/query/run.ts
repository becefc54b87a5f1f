/** `query.run`: search over everything ingested that the caller may see. */
import { QueryInput, QueryOutput } from '../../schema/query.ts';
import { search } from '../../services/search/search.ts';
import { defineOperation, READ_ONLY } from '../contract.ts';

export const queryRun = defineOperation({
  name: 'query.run',
  summary: 'Search the ingested content',
  room: 'query',
  permission: 'query:run',
  rate: 'search',
  input: QueryInput,
  output: QueryOutput,
  http: { method: 'post', path: '/api/v1/query', tag: 'Query' },
  mcp: {
    tool: 'search_content',
    title: 'Search content',
    description:
      'Searches everything ingested from Slack, Gong, Salesforce, Looker and HubSpot by words and meaning. ' +
      'Understands "a phrase", -without and date words such as "last week" or "in March". ' +
      'Returns results with text, matches marked, score, author, time and links; next_cursor leads on.',
    ...READ_ONLY,
  },
  failures: ['semantic_unavailable', 'unavailable'],
  audited: false,
  run: ({ deps, principal }, input) => search(deps, principal, input, Date.now()),
});
