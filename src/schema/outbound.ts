/** Credentials for outgoing calls: their kinds, and what of them is no secret. */

export const OUTBOUND_KINDS = ['bearer', 'basic', 'header', 'oauth2_client_credentials'] as const;
export type OutboundKind = (typeof OUTBOUND_KINDS)[number];

/** How a client proves itself at a token endpoint (RFC 6749, section 2.3.1). */
export const CLIENT_AUTH_METHODS = ['client_secret_basic', 'client_secret_post'] as const;

/** Only the fields of the kind are set. */
export interface OutboundConfig {
  /** basic: the user whose password is sealed. */
  username?: string;
  /** header: the header whose value is sealed. */
  header?: string;
  /** oauth2_client_credentials: where a token is had for the client whose secret is sealed. */
  token_url?: string;
  client_id?: string;
  auth_method?: (typeof CLIENT_AUTH_METHODS)[number];
  scope?: string;
  audience?: string;
}
