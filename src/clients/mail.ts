/** Mail by SMTP: one message at a time, known again by its Message-ID. */
import { createTransport } from 'nodemailer';

const WAIT_MS = 30_000;

export interface Mail {
  from: string;
  to: string;
  subject: string;
  text: string;
  /** Makes the Message-ID, so that a repeat of the same message is seen as one. */
  id: string;
}

/**
 * Sends and closes the connection. `smtps:` speaks TLS from the start, `smtp:` once the server offers it; `authorities`
 * are trusted in place of the public ones. Throws what the server or the network said; `isPermanent` tells a 5xx reply
 * from the rest.
 */
export async function sendMail(smtpUrl: string, mail: Mail, authorities?: string[]): Promise<void> {
  const transport = transportTo(smtpUrl, mail.from, authorities);
  const { id, ...message } = mail;
  const domain = /@([^>\s]+)>?$/.exec(mail.from)?.[1] ?? 'localhost';
  const late = setTimeout(() => transport.close(), WAIT_MS);
  try {
    await transport.sendMail({
      ...message,
      messageId: `<${id}@${domain}>`,
      disableFileAccess: true,
      disableUrlAccess: true,
    });
  } finally {
    clearTimeout(late);
    transport.close();
  }
}

/** User and password of the address are signed in with. */
function transportTo(smtpUrl: string, from: string, ca: string[] | undefined) {
  const defaults = { from } as never;
  if (ca === undefined) return createTransport(smtpUrl, defaults);
  // An address and options cannot be given both; the library reads the one, and connects only to send.
  const read = createTransport(smtpUrl).options as { tls?: object };
  return createTransport({ ...read, tls: { ...read.tls, ca } }, defaults);
}

/** Whether the server refused it for good (RFC 5321, section 4.2.1). */
export function isPermanent(error: unknown): boolean {
  const code = (error as { responseCode?: unknown } | null)?.responseCode;
  return typeof code === 'number' && code >= 500 && code < 600;
}
