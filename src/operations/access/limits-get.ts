/** `limits.get`: what the caller may do in a minute and in a day, and how much of it is left. */
import { z } from 'zod';
import { LimitsOutput } from '../../schema/limits.ts';
import { readOwnLimits } from '../../services/limits/own-limits.ts';
import { defineOperation } from '../contract.ts';

export const limitsGet = defineOperation({
  name: 'limits.get',
  summary: "Tell the caller's own limits, what is used of them and when they begin anew",
  room: 'access',
  permission: 'self:read',
  input: z.object({}),
  output: LimitsOutput,
  http: { method: 'get', path: '/api/v1/limits', tag: 'Access' },
  failures: ['unavailable'],
  audited: false,
  run: ({ deps, principal }) => readOwnLimits(deps, principal.id, new Date()),
});
