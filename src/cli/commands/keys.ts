/** `ostinato keys …`: API keys. */
import { type Command, Option } from 'commander';
import { z } from 'zod';
import { ROLES } from '../../schema/names.ts';
import type { Act, CliContext } from '../context.ts';
import { addPaging, type PageOptions, showPages } from '../pages.ts';
import { parseGrant } from '../parse.ts';
import { resolveId } from '../resolve.ts';
import { clean } from '../text.ts';
import { shownId } from '../views/file.ts';

const PATH = '/api/v1/keys';
/** Agents get their tokens when they are registered. */
const FOR_KEYS = ROLES.filter((role) => role !== 'agent');

const Key = z.object({
  key_id: z.string(),
  principal_id: z.string(),
  name: z.string(),
  role: z.string(),
  grants: z.array(z.object({ resource: z.string(), access: z.string() })),
  prefix: z.string(),
  created_by: z.string().nullable(),
  created_at: z.string(),
  expires_at: z.string().nullable(),
  revoked_at: z.string().nullable(),
  last_used_at: z.string().nullable(),
});
const NewKey = Key.extend({ key: z.string() });

interface CreateOptions {
  name: string;
  role: string;
  principal?: string;
  grant?: { resource: string; access: string }[];
  expires?: string;
}

export function addKeys(program: Command, act: Act): void {
  const keys = program.command('keys').summary('create, list and revoke API keys').description('API keys.');
  keys
    .command('create')
    .summary('a new key, shown this once')
    .requiredOption('--name <name>', 'what it is for')
    .addOption(new Option('--role <role>', 'what it may do').choices(FOR_KEYS).makeOptionMandatory())
    .option('--principal <id>', 'whom it stands for; keys of one principal share what they own (default: itself)')
    .option('--grant <resource:access>', 'such as file:<id>:read or owner:<id>:write; may be repeated', parseGrant)
    .option('--expires <date>', 'until this time (ISO 8601)')
    .action((options: CreateOptions, command: Command) => act(command, (context) => create(context, options)));
  addPaging(keys.command('list', { isDefault: true }).summary('all keys, newest first')).action(
    (options: PageOptions, command: Command) => act(command, (context) => list(context, options)),
  );
  keys
    .command('revoke')
    .summary('end a key and every session made with it')
    .argument('<key>', 'id of the key (not the key itself), or its first 4 or more characters')
    .action((id: string, _options: object, command: Command) => act(command, (context) => revoke(context, id)));
}

async function create(context: CliContext, options: CreateOptions): Promise<undefined> {
  const { out } = context;
  const expires = options.expires === undefined ? undefined : toMoment(options.expires);
  const body = {
    name: options.name,
    role: options.role,
    principal_id: options.principal,
    grants: options.grant,
    expires_at: expires,
  };
  const created = await context.api().call(NewKey, 'POST', PATH, { body });
  out.line('key', created);
  out.fields([
    ['key', out.style('bold', created.key)],
    ['id', created.key_id],
    ['role', created.role],
    ['expires', out.time(created.expires_at)],
  ]);
  out.say(out.style('yellow', 'Keep it now: it cannot be shown again.'));
}

/** A date without a time means its first moment in UTC; whatever else is wrong, the API says. */
function toMoment(text: string): string {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text;
}

async function list(context: CliContext, options: PageOptions): Promise<undefined> {
  const { out } = context;
  await showPages(context, { item: Key, path: PATH, query: {}, options }, (items) => {
    for (const item of items) out.line('key', item);
    out.table(
      [
        { title: 'ID', value: (key) => shownId(out, key.key_id) },
        { title: 'KEY', value: (key) => `${key.prefix}…` },
        { title: 'ROLE', value: (key) => key.role },
        { title: 'STATE', value: (key) => stateOf(key, Date.now()) },
        { title: 'USED', value: (key) => out.time(key.last_used_at) },
        { title: 'CREATED', value: (key) => out.time(key.created_at) },
        { title: 'NAME', value: (key) => key.name, shrinkTo: 10 },
      ],
      items,
    );
  });
}

async function revoke(context: CliContext, given: string): Promise<undefined> {
  const { out } = context;
  const api = context.api();
  const id = await resolveId(api, given, { noun: 'key', path: PATH, item: Key, idOf: (key) => key.key_id });
  const key = await api.call(Key, 'DELETE', `${PATH}/${id}`);
  out.line('key', key);
  out.say(`Revoked ${clean(key.name)} (${key.prefix}…)`);
}

function stateOf(key: z.output<typeof Key>, now: number): string {
  if (key.revoked_at) return 'revoked';
  return key.expires_at && Date.parse(key.expires_at) <= now ? 'expired' : 'live';
}
