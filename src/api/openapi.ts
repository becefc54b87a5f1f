/** `GET /openapi.json`: OpenAPI 3.1, made from the declarations of the operations. */
import { z } from 'zod';
import type { AnyOperation, HttpExposure } from '../operations/contract.ts';
import { FAILURES, type FailureCode } from '../schema/failures.ts';
import type { JsonObject } from '../schema/json.ts';
import { rateClassOf } from '../services/limits/rates.ts';
import { EVENTS_PATH, EventsQuery } from './events-stream.ts';
import { BODY, COMMON, FREE_PATH, HEADERS, problems, success } from './openapi-responses.ts';

export interface OpenApiOptions {
  operations: readonly AnyOperation[];
  version: string;
  publicUrl: string;
}

const Problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.enum(Object.keys(FAILURES) as [FailureCode, ...FailureCode[]]),
  detail: z.string(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })),
  request_id: z.string().nullable(),
});

const IDEMPOTENCY_KEY = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description: 'the same key with the same body leads to the same result',
  schema: { type: 'string', minLength: 1, maxLength: 255 },
};

/** Of a download; its type is the object's. */
const BYTES = { '*/*': { schema: { type: 'string', format: 'binary' } } };

/** The whole document; a plain value, built once. */
export function openApiDocument(options: OpenApiOptions): JsonObject {
  const components: JsonObject = { Problem: jsonSchema(Problem, 'output', 'Problem', {}) };
  const paths: Record<string, JsonObject> = {};
  for (const operation of options.operations) {
    if (!operation.http) continue;
    const { path, method } = operation.http;
    paths[path] = { ...paths[path], [method]: describe(operation, operation.http, components) };
  }
  for (const [path, item] of Object.entries(otherRoutes(components))) paths[path] = { ...paths[path], ...item };
  return {
    openapi: '3.1.0',
    info: { title: 'Ostinato', version: options.version, license: { name: 'MIT', identifier: 'MIT' } },
    servers: [{ url: options.publicUrl }],
    security: [{ bearer: [] }, { apiKey: [] }],
    paths,
    components: {
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description:
            'an API key, the token of an agent, a JWT signed with JWT_SECRET (HS256) or by JWT_ISSUER, or a token ' +
            'that FLASK_API_URL or INTROSPECTION_URL vouches for',
        },
        apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
      },
      schemas: components,
      headers: HEADERS,
    },
  };
}

function describe(operation: AnyOperation, http: HttpExposure, components: JsonObject): JsonObject {
  const inPath = [...http.path.matchAll(/\{([^}]+)\}/g)].map((match) => match[1] ?? '');
  const hasBody = http.method === 'post' || http.method === 'put';
  const input = jsonSchema(http.form ?? operation.input, 'input', operation.name, components);
  const fields = (input.properties ?? {}) as Record<string, JsonObject>;
  const required = (input.required ?? []) as string[];
  const parameters: JsonObject[] = Object.entries(fields)
    .filter(([name]) => inPath.includes(name) || !hasBody)
    .map(([name, schema]) => parameter(name, schema, inPath.includes(name), required.includes(name)));
  if (hasBody) parameters.push(IDEMPOTENCY_KEY);
  const codes = [...COMMON, ...(hasBody ? BODY : []), ...(inPath.length > 0 ? FREE_PATH : []), ...operation.failures];
  const status = http.status ?? 200;
  const output = jsonSchema(operation.output, 'output', `${operation.name}.output`, components);
  return {
    operationId: operation.name,
    summary: operation.summary,
    tags: [http.tag],
    parameters,
    ...(hasBody ? { requestBody: requestBody(input, inPath, http) } : {}),
    responses: {
      [String(status)]: success('Success', status === 204 ? null : http.answer === 'download' ? BYTES : json(output)),
      // What `statusOf` may answer instead has the same body.
      ...(operation.statusOf ? { '2XX': success('Success', json({ description: 'as above' })) } : {}),
      ...problems(codes),
    },
    'x-permission': [operation.permission].flat().join(' or '),
    // Of a caller that is no agent; all that an agent does counts as one class.
    'x-rate-limit': rateClassOf(operation, { role: 'admin' }),
  };
}

function parameter(name: string, schema: JsonObject, inPath: boolean, required: boolean): JsonObject {
  const { description, ...rest } = schema;
  return {
    name,
    in: inPath ? 'path' : 'query',
    required: inPath || required,
    ...(description === undefined ? {} : { description }),
    ...(rest.type === 'array' ? { style: 'form', explode: false } : {}),
    schema: rest,
  };
}

function requestBody(input: JsonObject, inPath: string[], http: HttpExposure): JsonObject {
  const properties = Object.fromEntries(
    Object.entries((input.properties ?? {}) as JsonObject).filter(([name]) => !inPath.includes(name)),
  );
  const required = ((input.required ?? []) as string[]).filter((name) => !inPath.includes(name));
  if (http.body === 'multipart') {
    const file = { type: 'string', format: 'binary' };
    const schema = { type: 'object', properties: { file, ...properties }, required: ['file', ...required] };
    return { required: true, content: { 'multipart/form-data': { schema } } };
  }
  const schema = { ...input, properties, required };
  return { required: required.length > 0, content: { 'application/json': { schema } } };
}

function json(schema: JsonObject): JsonObject {
  return { 'application/json': { schema } };
}

/** Routes that are no operations: a stream, a cookie, probes. */
function otherRoutes(components: JsonObject): Record<string, JsonObject> {
  const query = jsonSchema(EventsQuery, 'input', 'events', components);
  const page = { 'text/plain': { schema: { type: 'string' } } };
  return {
    [EVENTS_PATH]: {
      get: {
        operationId: 'events.stream',
        summary: 'Follow the event log; resumes after `Last-Event-ID`',
        tags: ['Events'],
        parameters: Object.entries((query.properties ?? {}) as Record<string, JsonObject>).map(([name, schema]) =>
          parameter(name, schema, false, false),
        ),
        responses: {
          '200': success('id, name and data of each event as it is committed', { 'text/event-stream': {} }),
          ...problems(COMMON),
        },
      },
    },
    '/api/v1/session': {
      post: {
        operationId: 'session.begin',
        summary: 'Exchange an API key for a session cookie of 12 hours',
        tags: ['Access'],
        responses: { '201': success('The cookie is set', json({ type: 'object' })), ...problems(COMMON) },
      },
      delete: {
        operationId: 'session.end',
        summary: 'End the session',
        tags: ['Access'],
        responses: { '204': success('The cookie is gone', null), ...problems(COMMON) },
      },
    },
    '/health': {
      get: {
        operationId: 'health',
        summary: 'Each component with its latency, running workflows, CPU, memory and disk',
        tags: ['System'],
        security: [],
        responses: {
          '200': success('What is needed works', json({ type: 'object' }), false),
          ...problems(['forbidden', 'internal'], false),
          '503': success('Something needed is down', json({ type: 'object' }), false),
        },
      },
    },
    '/metrics': {
      get: {
        operationId: 'metrics',
        summary: 'Metrics for Prometheus; open on loopback, else METRICS_TOKEN',
        tags: ['System'],
        responses: {
          '200': success('Prometheus text format', page, false),
          ...problems(['unauthenticated', 'forbidden', 'internal'], false),
        },
      },
    },
  };
}

/** The schema with its shared parts moved to `components`, under names of their own. */
function jsonSchema(schema: z.ZodType, io: 'input' | 'output', name: string, components: JsonObject): JsonObject {
  const json = z.toJSONSchema(schema, { io, unrepresentable: 'any', target: 'draft-2020-12' }) as JsonObject;
  const { $schema: _, $defs = {}, ...rest } = json;
  const rename = (key: string) => `${name}.${key.replace(/^_+/, '')}`;
  for (const [key, value] of Object.entries($defs as JsonObject)) components[rename(key)] = repoint(value, rename);
  return repoint(rest, rename) as JsonObject;
}

function repoint<T>(value: T, rename: (key: string) => string): T {
  if (Array.isArray(value)) return value.map((item) => repoint(item, rename)) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      key === '$ref' && typeof inner === 'string'
        ? inner.replace(/^#\/\$defs\/(.+)$/, (_, def: string) => `#/components/schemas/${rename(def)}`)
        : repoint(inner, rename),
    ]),
  ) as T;
}
