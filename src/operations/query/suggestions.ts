/** `query.suggestions`: what the caller searched for before, then what is searched for often. */

import { SuggestionsInput, SuggestionsOutput } from '../../schema/query.ts';
import { queryOwners } from '../../services/context/visibility.ts';
import { suggestQueries } from '../../stores/query-log.ts';
import { defineOperation, READ_ONLY } from '../contract.ts';

export const querySuggestions = defineOperation({
  name: 'query.suggestions',
  summary: 'Suggest queries that contain a text',
  room: 'query',
  permission: 'query:run',
  input: SuggestionsInput,
  output: SuggestionsOutput,
  http: { method: 'get', path: '/api/v1/query/suggestions', tag: 'Query' },
  mcp: {
    tool: 'get_query_suggestions',
    title: 'Query suggestions',
    description:
      'Gives at most 5 earlier queries that contain a text, in any case: the caller’s own recent ones first, ' +
      'then popular ones. Without a text it gives the latest.',
    ...READ_ONLY,
  },
  failures: [],
  audited: false,
  async run({ deps, principal }, { q }) {
    const options = { owner: principal.id, owners: queryOwners(principal), part: q, limit: 5 };
    return { suggestions: await suggestQueries(deps.db, options) };
  },
});
