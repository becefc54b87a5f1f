/** The parsers of all sources, by source. */
import type { Source } from '../../schema/names.ts';
import type { SourceParser } from '../contract.ts';
import { gongParser } from './gong/index.ts';
import { hubspotParser } from './hubspot/index.ts';
import { lookerParser } from './looker/index.ts';
import { salesforceParser } from './salesforce/index.ts';
import { slackParser } from './slack/index.ts';

export const sourceParsers: Record<Source, SourceParser> = {
  slack: slackParser,
  gong: gongParser,
  salesforce: salesforceParser,
  looker: lookerParser,
  hubspot: hubspotParser,
};
