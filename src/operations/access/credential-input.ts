/** What a credential for outgoing calls is made from, and which fields each kind takes. */
import { z } from 'zod';
import { CLIENT_AUTH_METHODS, OUTBOUND_KINDS, type OutboundConfig, type OutboundKind } from '../../schema/outbound.ts';

/** Text that may stand in a header as it is. */
const HEADER_VALUE = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/;
/** Headers that say how a message is sent, not who sends it. */
const NOT_OURS = /^(host|connection|content-.*|transfer-encoding|te|trailer|upgrade|expect|keep-alive|proxy-.*)$/;

const FIELDS = {
  bearer: { needs: [], takes: [] },
  basic: { needs: ['username'], takes: [] },
  header: { needs: ['header'], takes: [] },
  oauth2_client_credentials: { needs: ['token_url', 'client_id'], takes: ['auth_method', 'scope', 'audience'] },
} as const satisfies Record<
  OutboundKind,
  { needs: readonly (keyof OutboundConfig)[]; takes: readonly (keyof OutboundConfig)[] }
>;
const CONFIG_FIELDS = Object.values(FIELDS).flatMap(({ needs, takes }) => [...needs, ...takes]);

const text = z
  .string()
  .min(1)
  .max(2_000)
  .regex(/^[\x20-\x7e]+$/, 'must be plain visible text');

export const CredentialConfig = z.object({
  username: z
    .string()
    .min(1)
    .max(200)
    .regex(/^[ -9;-~\u00a0-\ud7ff\ue000-\uffff]+$/, 'must hold no colon and no control character')
    .optional()
    .describe('basic: the user'),
  header: z
    .string()
    .max(100)
    .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'must be a name of a header')
    .refine((name) => !NOT_OURS.test(name.toLowerCase()), 'is a header that only the call itself may set')
    .optional()
    .describe('header: the header that carries the secret'),
  token_url: z
    .url({ protocol: /^https?$/ })
    .max(2_000)
    .refine((url) => !/[#@]/.test(url), 'must hold no credentials and no fragment')
    .optional()
    .describe('oauth2_client_credentials: where the token is had; https unless the host is in EGRESS_ALLOW'),
  client_id: text.optional().describe('oauth2_client_credentials: whose secret this is'),
  auth_method: z
    .enum(CLIENT_AUTH_METHODS)
    .optional()
    .describe('oauth2_client_credentials: how the client proves itself; client_secret_basic when absent'),
  scope: text.optional().describe('oauth2_client_credentials: scope to ask for'),
  audience: text.optional().describe('oauth2_client_credentials: audience to ask for'),
});

export const CredentialInput = CredentialConfig.extend({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/)
    .describe('unique among your credentials'),
  kind: z.enum(OUTBOUND_KINDS),
  secret: z.string().min(1).max(8_192).describe('token, password, header value or client secret; never shown again'),
}).superRefine((input, context) => {
  const fault = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
  const fields: { needs: readonly string[]; takes: readonly string[] } = FIELDS[input.kind];
  for (const field of CONFIG_FIELDS) {
    const given = input[field] !== undefined;
    if (!given && fields.needs.includes(field)) fault(field, `is needed for kind ${input.kind}`);
    if (given && !fields.needs.includes(field) && !fields.takes.includes(field)) {
      fault(field, `is not of kind ${input.kind}`);
    }
  }
  const inHeader = input.kind === 'bearer' || input.kind === 'header';
  if (inHeader && !HEADER_VALUE.test(input.secret)) fault('secret', 'must be plain visible text, to stand in a header');
  if (!inHeader && /\p{Cc}/u.test(input.secret)) fault('secret', 'must hold no control character');
});

/** What of the input is no secret. */
export function configOf(input: z.output<typeof CredentialInput>): OutboundConfig {
  return Object.fromEntries(
    CONFIG_FIELDS.flatMap((field) => (input[field] === undefined ? [] : [[field, input[field]]])),
  );
}
