/** `ostinato credentials …`: secrets for calls to other services. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { z } from 'zod';
import { CLIENT_AUTH_METHODS, OUTBOUND_KINDS } from '../../schema/outbound.ts';
import type { Act, CliContext } from '../context.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { addPaging, type PageOptions, showPages } from '../pages.ts';
import { resolveId } from '../resolve.ts';
import { clean } from '../text.ts';
import { shownId } from '../views/file.ts';

const PATH = '/api/v1/credentials';
/** The API takes no more; a file that is larger is surely another one. */
const MAX_SECRET_BYTES = 64 * 1024;

const Credential = z.object({
  credential_id: z.string(),
  owner: z.string(),
  name: z.string(),
  kind: z.string(),
  config: z.record(z.string(), z.string()),
  created_at: z.string(),
});

interface CreateOptions {
  name: string;
  kind: string;
  secretFile?: string;
  username?: string;
  header?: string;
  tokenUrl?: string;
  clientId?: string;
  authMethod?: string;
  scope?: string;
  audience?: string;
}

export function addCredentials(program: Command, act: Act): void {
  const credentials = program
    .command('credentials')
    .summary('store, list and delete secrets for calls to other services')
    .description('Secrets for calls to other services. The secret is read from a file or stdin, never from an option.');
  credentials
    .command('create')
    .summary('store one; its secret is never shown again')
    .requiredOption('--name <name>', 'what agents and notifications name it by')
    .addOption(new Option('--kind <kind>', 'how it is used').choices(OUTBOUND_KINDS).makeOptionMandatory())
    .option('--secret-file <file>', 'file with the secret, - for stdin (default: stdin); one line end is cut off')
    .option('--username <name>', 'basic: the user')
    .option('--header <name>', 'header: the header that carries the secret')
    .option('--token-url <address>', 'oauth2_client_credentials: where the token is had')
    .option('--client-id <id>', 'oauth2_client_credentials: whose secret this is')
    .addOption(
      new Option('--auth-method <method>', 'oauth2_client_credentials: how the client proves itself').choices(
        CLIENT_AUTH_METHODS,
      ),
    )
    .option('--scope <scope>', 'oauth2_client_credentials: scope to ask for')
    .option('--audience <audience>', 'oauth2_client_credentials: audience to ask for')
    .action((options: CreateOptions, command: Command) => act(command, (context) => create(context, options)));
  addPaging(credentials.command('list', { isDefault: true }).summary('all that you may see, newest first')).action(
    (options: PageOptions, command: Command) => act(command, (context) => list(context, options)),
  );
  credentials
    .command('delete')
    .summary('take one away; calls that use it fail from then on')
    .argument('<credential>', 'id of the credential, or its first 4 or more characters')
    .action((id: string, _options: object, command: Command) => act(command, (context) => remove(context, id)));
}

async function create(context: CliContext, options: CreateOptions): Promise<undefined> {
  const { out } = context;
  const { name, kind, username, header, scope, audience } = options;
  const body = {
    name,
    kind,
    secret: await readSecret(context, options.secretFile),
    username,
    header,
    token_url: options.tokenUrl,
    client_id: options.clientId,
    auth_method: options.authMethod,
    scope,
    audience,
  };
  const created = await context.api().call(Credential, 'POST', PATH, { body });
  out.line('credential', asLine(created));
  out.say(`Stored ${clean(created.name)} (${created.kind}) as ${created.credential_id}`);
}

/** `kind` says of every line what it is about. */
function asLine({ kind, ...credential }: z.output<typeof Credential>) {
  return { ...credential, credential_kind: kind };
}

/** Without the line end that editors and `echo` add. */
async function readSecret({ io }: CliContext, file: string | undefined): Promise<string> {
  const text = file === undefined || file === '-' ? await readStdin(io.stdin) : readFile(io.cwd, file);
  return text.replace(/\r?\n$/, '');
}

function readFile(cwd: string | undefined, file: string): string {
  try {
    return readFileSync(resolve(cwd ?? process.cwd(), file), 'utf8');
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
    throw new CliError(EXIT.usage, `${file}: cannot be read (${reason})`);
  }
}

async function readStdin(stdin: CliContext['io']['stdin']): Promise<string> {
  if ('isTTY' in stdin && stdin.isTTY === true) {
    throw new CliError(EXIT.usage, 'No secret is given', { hint: 'Pipe it in, or name a file with --secret-file.' });
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stdin) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > MAX_SECRET_BYTES) throw new CliError(EXIT.usage, `A secret has at most ${MAX_SECRET_BYTES} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function list(context: CliContext, options: PageOptions): Promise<undefined> {
  const { out } = context;
  await showPages(context, { item: Credential, path: PATH, query: {}, options }, (items) => {
    for (const item of items) out.line('credential', asLine(item));
    out.table(
      [
        { title: 'ID', value: (item) => shownId(out, item.credential_id) },
        { title: 'KIND', value: (item) => item.kind },
        { title: 'OWNER', value: (item) => item.owner, shrinkTo: 8 },
        { title: 'CREATED', value: (item) => out.time(item.created_at) },
        { title: 'NAME', value: (item) => item.name, shrinkTo: 10 },
      ],
      items,
    );
  });
}

async function remove(context: CliContext, given: string): Promise<undefined> {
  const { out } = context;
  const api = context.api();
  const id = await resolveId(api, given, {
    noun: 'credential',
    path: PATH,
    item: Credential,
    idOf: (credential) => credential.credential_id,
  });
  const credential = await api.call(Credential, 'DELETE', `${PATH}/${id}`);
  out.line('credential', asLine(credential));
  out.say(`Deleted ${clean(credential.name)} (${credential.kind})`);
}
