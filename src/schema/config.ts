/** Settings, parsed once. This is the only file that reads the environment. */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parse as parseDotenv } from 'dotenv';
import { z } from 'zod';
import { closedBuckets, isBucketName, parseDataPlace } from './data-places.ts';
import { trustedDatabase } from './database-url.ts';
import { formerSettings } from './former-settings.ts';
import { bytes, flag, integer, key32, list, parts, url } from './setting-kinds.ts';

const GIB = 1024 ** 3;

/** Every setting by its variable. The README's table is made from the descriptions. */
const ENVIRONMENT = z.object({
  SERVER_PORT: integer(8080, 1, 65_535).describe('port of the API, MCP endpoint and docs'),
  HOST: z.string().min(1).default('127.0.0.1').describe('address the API listens on'),
  PUBLIC_URL: url(['http:', 'https:']).describe('address that callers use when it differs from HOST and SERVER_PORT'),
  ALLOWED_HOSTS: list.describe('host names besides loopback and HOST that requests may name'),
  DATA_DIR: z.string().min(1).default('.data').describe('folder of everything that must survive'),
  CACHE_DIR: z
    .string()
    .min(1)
    .optional()
    .describe('folder of downloaded and built components (default ~/.cache/ostinato)'),
  DATABASE_URL: url(['postgres:', 'postgresql:']).describe(
    'Postgres 15 to 18, with TLS by `?sslmode=verify-full`; embedded when absent',
  ),
  DATABASE_POOL: integer(10, 1, 200).describe('connections a process keeps to Postgres'),
  TEMPORAL_ADDRESS: z.string().min(1).optional().describe('host:port of a Temporal frontend; embedded when absent'),
  TEMPORAL_NAMESPACE: z.string().min(1).default('default').describe('Temporal namespace'),
  TEMPORAL_API_KEY: z.string().min(1).optional().describe('API key for Temporal Cloud'),
  TEMPORAL_TLS: flag(false).describe('TLS towards Temporal'),
  TEMPORAL_PORT: integer(0, 0, 65_535).describe('port of the embedded Temporal (0: a free one)'),
  TEMPORAL_UI_PORT: integer(0, 0, 65_535).describe('port of the embedded Temporal Web UI (0: a free one)'),
  TEMPORAL_UI_ADDRESS: url(['http:', 'https:']).describe(
    'Temporal Web UI to show under /temporal; it must serve below that path. The embedded one when absent',
  ),
  TEMPORAL_SYNCHRONOUS: z
    .enum(['full', 'normal'])
    .default('full')
    .describe('how the embedded Temporal writes: normal is faster and may lose the last moments in a power cut'),
  RETENTION_DAYS: integer(30, 1, 3650).describe('days that closed workflows stay in Temporal'),
  POSTGRES_PORT: integer(0, 0, 65_535).describe('port of the embedded Postgres (0: a free one)'),
  WEAVIATE_URL: url(['http:', 'https:']).describe('Weaviate; an embedded index when absent'),
  WEAVIATE_GRPC_PORT: integer(50_051, 1, 65_535).describe('gRPC port of Weaviate'),
  WEAVIATE_API_KEY: z.string().min(1).optional().describe('API key for Weaviate'),
  S3_ENDPOINT: url(['http:', 'https:']).describe('S3 server; a folder in DATA_DIR when absent'),
  S3_BUCKET: z.string().min(3).default('orchestra-data-ingestion').describe('bucket'),
  AWS_REGION: z.string().min(1).default('us-east-1').describe('region'),
  AWS_ACCESS_KEY_ID: z.string().min(1).optional().describe('S3 access key'),
  AWS_SECRET_ACCESS_KEY: z.string().min(1).optional().describe('S3 secret key'),
  DATA_PREFIXES: parts('imports/')
    .refine((all) => all.every(parseDataPlace), { message: 'must be prefixes such as imports/ or s3://bucket/prefix/' })
    .describe('where the objects are that every caller may read as data, also as s3://bucket/prefix/'),
  DATA_BUCKETS: list
    .refine((all) => all.every(isBucketName), { message: 'must be names of buckets' })
    .describe('buckets on S3_ENDPOINT that data may be read from besides S3_BUCKET'),
  REDIS_URL: url(['redis:', 'rediss:']).describe(
    'Redis for caching and counting limits; in process and in Postgres when absent',
  ),
  OPENAI_API_KEY: z.string().min(1).optional().describe('key for embeddings'),
  OPENAI_BASE_URL: url(['http:', 'https:']).describe('any OpenAI-compatible server'),
  EMBEDDINGS: z
    .enum(['auto', 'openai', 'minilm', 'hash', 'off'])
    .default('auto')
    .describe('auto: openai when configured, else minilm; hash is for tests; off leaves keyword search'),
  EMBEDDING_MODEL: z.string().min(1).default('text-embedding-3-small').describe('model for openai embeddings'),
  EMBEDDING_DIMENSIONS: integer(1536, 8, 4096).describe('dimensions for openai and hash embeddings'),
  API_KEY: z.string().min(16).optional().describe('when set, it is the admin key'),
  JWT_SECRET: z.string().min(32).optional().describe('secret of HS256 tokens; created in DATA_DIR when absent'),
  MASTER_KEY: key32.describe('seals stored secrets; created in DATA_DIR when absent'),
  MASTER_KEY_PREVIOUS: key32.describe('the one before MASTER_KEY: what it sealed is sealed anew at the next start'),
  PAYLOAD_KEY: key32.describe('encrypts workflow payloads; created in DATA_DIR when absent'),
  EGRESS_ALLOW: list.describe('hosts and CIDR blocks that outgoing calls may reach although they are private'),
  METRICS_TOKEN: z.string().min(16).optional().describe('bearer token for /metrics from beyond loopback'),
  WORKER_METRICS_HOST: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe('address the metrics of a worker listen on; beyond loopback they want METRICS_TOKEN too'),
  WORKER_METRICS_PORT: integer(0, 0, 65_535).describe(
    'port of the metrics of a worker (0: a free one, which the API on the same machine and DATA_DIR finds by itself)',
  ),
  OTEL_EXPORTER_OTLP_ENDPOINT: url(['http:', 'https:']).describe('where traces go'),
  LOG_LEVEL: z
    .string()
    .transform((value) => value.toLowerCase())
    .pipe(z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']))
    .default('info')
    .describe('trace, debug, info, warn, error, silent'),
  MAX_UPLOAD_BYTES: bytes(5 * GIB).describe('largest upload'),
  BODY_TIMEOUT: integer(30, 1, 3600).describe('seconds that the body of a request may take unless it is an upload'),
  MAX_ARCHIVE_ENTRIES: integer(1_000_000, 1, 100_000_000).describe('most entries in an archive'),
  MAX_UNPACKED_BYTES: bytes(50 * GIB).describe('most bytes an archive may unpack to'),
  MAX_ARCHIVE_RATIO: integer(200, 2, 100_000).describe('most an entry over 1 MiB may grow when unpacked'),
  MAX_RECORD_BYTES: bytes(4 * 1024 * 1024).describe('largest single record'),
  MAX_JSON_DEPTH: integer(64, 4, 1000).describe('deepest nesting of JSON'),
  INGEST_BATCH_RECORDS: integer(10_000, 2, 100_000).describe(
    'records that a kill in the middle of parsing may cost at most',
  ),
  MAX_AGENTS: integer(100, 1, 10_000).describe('most registered agents'),
  MAX_CONCURRENT_TASKS: integer(50, 1, 10_000).describe('most tasks that run at once, over all workers'),
  TASK_TIMEOUT: integer(3600, 1, 604_800).describe(
    'longest timeout of a task in seconds, and the one of tasks without',
  ),
  AGENT_HEARTBEAT_SECONDS: integer(15, 1, 600).describe('how often agents are asked to heartbeat; offline after four'),
  AGENT_RETENTION_DAYS: integer(7, 0, 3650).describe(
    'days after which an agent that stays offline is removed; 0 keeps it',
  ),
  TASKS_PER_DAY: integer(100_000, 0, 1_000_000_000).describe('tasks that one caller may submit in a day (0: no limit)'),
  RATE_LIMIT_READ: integer(6000, 0, 10_000_000).describe(
    'requests a minute that one caller may read with (0: no limit)',
  ),
  RATE_LIMIT_WRITE: integer(1200, 0, 10_000_000).describe('requests a minute that one caller may change things with'),
  RATE_LIMIT_SEARCH: integer(600, 0, 10_000_000).describe('searches a minute of one caller'),
  RATE_LIMIT_AGENT: integer(6000, 0, 10_000_000).describe('heartbeats, claims and callbacks a minute of one agent'),
  WS_MAX_CONNECTIONS: integer(2000, 1, 100_000).describe('open WebSockets and event streams, over all processes'),
  WS_MAX_PER_CALLER: integer(50, 1, 100_000).describe(
    'open WebSockets and event streams of one caller, over all processes',
  ),
  JWT_ISSUER: url(['http:', 'https:']).describe('issuer whose tokens are accepted besides our own'),
  JWT_AUDIENCE: z
    .string()
    .min(1)
    .optional()
    .describe('audience that tokens of JWT_ISSUER must name; our own address when absent'),
  JWT_JWKS_URL: url(['http:', 'https:']).describe('keys of JWT_ISSUER; found by its discovery document when absent'),
  JWT_ROLE_CLAIM: z
    .string()
    .min(1)
    .default('role')
    .describe('claim of JWT_ISSUER that holds the role or a list of them'),
  FLASK_API_URL: url(['http:', 'https:']).describe('user service that verifies tokens at /api/auth/verify'),
  INTROSPECTION_URL: url(['http:', 'https:']).describe('RFC 7662 address that verifies tokens'),
  INTROSPECTION_CLIENT_ID: z.string().min(1).optional().describe('client of INTROSPECTION_URL'),
  INTROSPECTION_CLIENT_SECRET: z.string().min(1).optional().describe('secret of that client'),
  SMTP_URL: url(['smtp:', 'smtps:']).describe('mail server for notifications'),
  MAIL_FROM: z.string().min(3).default('ostinato@localhost').describe('sender of mail'),
  TLS_CERT: z.string().min(1).optional().describe('PEM file with the certificate chain; the API speaks https with it'),
  TLS_KEY: z.string().min(1).optional().describe('PEM file with the key of TLS_CERT'),
  TLS_CA: z
    .string()
    .min(1)
    .optional()
    .describe(
      'PEM file with authorities to trust besides the public ones towards Redis, S3, Weaviate, Temporal, the mail server, and the API for clients; towards Postgres alone',
    ),
  TEMPORAL_TLS_CERT: z.string().min(1).optional().describe('PEM file with the client certificate for Temporal'),
  TEMPORAL_TLS_KEY: z.string().min(1).optional().describe('PEM file with the key of TEMPORAL_TLS_CERT'),
  AUDIT_RETENTION_DAYS: integer(365, 1, 36_500).describe('days that the audit log is kept'),
  EVENT_RETENTION_DAYS: integer(30, 1, 3650).describe('days that events can be resumed from'),
  OUTPUT_RETENTION_DAYS: integer(0, 0, 36_500).describe(
    'days that published outputs of pipelines stay after they were last written; 0 keeps them',
  ),
  STAGE_MEMORY_MB: integer(1024, 64, 1_048_576).describe('memory of one pipeline stage'),
  STAGE_TEMP_MB: integer(10_240, 1, 10_485_760).describe('temporary space of one pipeline stage'),
  STAGE_THREADS: integer(2, 1, 256).describe('threads of one pipeline stage'),
  STAGE_CONCURRENCY: integer(2, 1, 64).describe('pipeline stages that one worker runs at once'),
  OSTINATO_URL: url(['http:', 'https:']).describe('client: address of the API that the command line talks to'),
  OSTINATO_API_KEY: z.string().min(1).optional().describe('client: key that the command line signs in with'),
  OSTINATO_COMPONENT_TIMEOUT: integer(1200, 10, 7200).describe('seconds that getting one component may take'),
});

export type Environment = z.output<typeof ENVIRONMENT>;
export type Config = Readonly<Environment> & {
  /** Absolute. */
  readonly dataDir: string;
  /** Absolute; shared between copies and versions. */
  readonly cacheDir: string;
  /** What callers reach the API by. */
  readonly publicUrl: string;
};

/** One line a variable: what is wrong and with which. */
export class ConfigError extends Error {
  readonly problems: string[];

  constructor(problems: string[]) {
    super(problems.join('\n'));
    this.problems = problems;
    this.name = 'ConfigError';
  }
}

const SECRET = /(KEY|SECRET|TOKEN|PASSWORD)$|^(AWS_ACCESS_KEY_ID|MASTER_KEY_PREVIOUS)$/;

/**
 * Settings from `env` over `.env` in `cwd` (the environment wins). An empty value counts as absent.
 * Throws ConfigError that names every faulty variable.
 */
export function loadConfig(
  options: { env?: NodeJS.ProcessEnv; cwd?: string; overrides?: Record<string, string> } = {},
): Config {
  const cwd = options.cwd ?? process.cwd();
  const given = givenBy(options);
  const parsed = ENVIRONMENT.safeParse(given);
  if (!parsed.success) {
    throw new ConfigError(parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`));
  }
  const value = withAbsolutePaths(parsed.data, cwd);
  const unpaired = [
    ...unpairedOf(value, 'TLS_CERT', 'TLS_KEY'),
    ...unpairedOf(value, 'TEMPORAL_TLS_CERT', 'TEMPORAL_TLS_KEY'),
    ...closedBuckets(value),
  ];
  if (unpaired.length > 0) throw new ConfigError(unpaired);
  const scheme = value.TLS_CERT === undefined ? 'http' : 'https';
  const host = value.HOST.includes(':') ? `[${value.HOST}]` : value.HOST;
  const reachable = value.HOST === '0.0.0.0' || value.HOST === '::' ? '127.0.0.1' : host;
  return Object.freeze({
    ...value,
    DATABASE_URL: trustedDatabase(value.DATABASE_URL, value.TLS_CA),
    dataDir: resolve(cwd, value.DATA_DIR),
    cacheDir: value.CACHE_DIR ? resolve(cwd, value.CACHE_DIR) : defaultCacheDir(given),
    publicUrl: (value.PUBLIC_URL ?? `${scheme}://${reachable}:${value.SERVER_PORT}`).replace(/\/$/, ''),
  });
}

/** What is set in earlier systems' terms, in one line; null when nothing is. Takes what `loadConfig` takes. */
export function warnOfFormer(options: Parameters<typeof loadConfig>[0] = {}): string | null {
  return formerSettings(givenBy(options));
}

function givenBy(options: Parameters<typeof loadConfig>[0] = {}): Record<string, string> {
  const file = join(options.cwd ?? process.cwd(), '.env');
  const fromFile = existsSync(file) ? parseDotenv(readFileSync(file)) : {};
  const merged = { ...fromFile, ...(options.env ?? process.env), ...options.overrides };
  return Object.fromEntries(
    Object.entries(merged).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== ''),
  );
}

/** Files that are named relative to where we were started are found by our children too. */
function withAbsolutePaths(value: Environment, cwd: string): Environment {
  const found = { ...value };
  for (const name of ['TLS_CERT', 'TLS_KEY', 'TLS_CA', 'TEMPORAL_TLS_CERT', 'TEMPORAL_TLS_KEY'] as const) {
    const path = value[name];
    if (path !== undefined) found[name] = resolve(cwd, path);
  }
  return found;
}

function unpairedOf(value: Environment, cert: keyof Environment, key: keyof Environment): string[] {
  if ((value[cert] === undefined) === (value[key] === undefined)) return [];
  const [set, missing] = value[cert] === undefined ? [key, cert] : [cert, key];
  return [`${missing}: must be set too, because ${set} is`];
}

function defaultCacheDir(env: NodeJS.ProcessEnv): string {
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'ostinato');
}

/** For `ostinato config`: every variable with its value in force, secrets masked, and passwords in addresses too. */
export function describeConfig(config: Config): { name: string; value: string; description: string }[] {
  return Object.entries(ENVIRONMENT.shape).map(([name, field]) => ({
    name,
    value: mask(name, config[name as keyof Environment]),
    description: field.description ?? '',
  }));
}

function mask(name: string, value: unknown): string {
  if (value === undefined) return '';
  if (SECRET.test(name)) return '********';
  const text = Array.isArray(value) ? value.join(',') : String(value);
  return text.replace(/(:\/\/[^:/@]*:)[^@]*@/, '$1********@');
}

/**
 * The settings as environment variables, to hand to a child process. Only what is set, everything as text.
 */
export function toEnvironment(config: Config): Record<string, string> {
  const out: Record<string, string> = {};
  for (const name of Object.keys(ENVIRONMENT.shape) as (keyof Environment)[]) {
    const value = config[name];
    if (value === undefined) continue;
    out[name] = Array.isArray(value) ? value.join(',') : String(value);
  }
  out.DATA_DIR = config.dataDir;
  out.CACHE_DIR = config.cacheDir;
  return out;
}

/** Everything this process was started with, to hand on to programs that are not ours. */
export function inheritedEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env };
}
