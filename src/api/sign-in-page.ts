/** The page a browser gets instead of a 401: it exchanges an API key for the session cookie and loads again. */
import { randomBytes } from 'node:crypto';
import type { ApiContext } from './context.ts';

/** Paths that people open in a browser. */
const PAGES = ['/', '/docs', '/temporal'];

/** The page for a browser on one of `PAGES`; undefined for anyone else. */
export function signInPage(c: ApiContext): Response | undefined {
  const { path } = c.req;
  const isPage = PAGES.some((page) => path === page || (page !== '/' && path.startsWith(`${page}/`)));
  if (!isPage || c.req.method !== 'GET' || !(c.req.header('accept') ?? '').includes('text/html')) return undefined;
  const nonce = randomBytes(16).toString('base64');
  return new Response(html(nonce), {
    status: 401,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': `default-src 'none'; script-src 'nonce-${nonce}'; style-src 'nonce-${nonce}'; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'`,
    },
  });
}

function html(nonce: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Ostinato: sign in</title>
<style nonce="${nonce}">
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 24rem; margin: 20vh auto; padding: 0 1rem; color-scheme: light dark }
  input, button { font: inherit; width: 100%; box-sizing: border-box; padding: .5rem; margin-top: .5rem }
</style>
<h1>Sign in</h1>
<form>
  <label>API key <input name="key" type="password" autocomplete="current-password" required autofocus></label>
  <button>Sign in</button>
  <p role="alert"></p>
</form>
<script nonce="${nonce}">
  const form = document.querySelector('form');
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const answer = await fetch('/api/v1/session', {
      method: 'POST',
      headers: { authorization: 'Bearer ' + form.elements.key.value.trim() },
    }).catch(() => null);
    if (answer && answer.ok) return location.reload();
    form.querySelector('p').textContent = !answer ? 'No answer from the server.'
      : answer.status === 429 ? 'Too many attempts. Wait a minute.' : 'This key is not accepted.';
  });
</script>
</html>
`;
}
