/** `files.upload` and `files.import`: bring an export in. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { Failure } from '../../schema/failures.ts';
import { FileAccepted, fileLinks, Metadata } from '../../schema/files.ts';
import type { ImportFrom } from '../../schema/ingestion.ts';
import { SOURCES } from '../../schema/names.ts';
import { newWorkflowId } from '../../services/engine.ts';
import { type Admitted, admitFile } from '../../services/files/admit.ts';
import { takeUpload } from '../../services/files/upload.ts';
import { unfetchedHash } from '../../stores/files.ts';
import { defineOperation } from '../contract.ts';
import { parseInput } from '../invoke.ts';

const MetadataField = z
  .string()
  .transform((text, context) => {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      context.addIssue({ code: 'custom', message: 'must be a JSON object' });
      return z.NEVER;
    }
  })
  .pipe(Metadata);

const Form = z.object({
  source_type: z.enum(SOURCES).describe('which system exported the file'),
  metadata: MetadataField.optional().describe('a JSON object kept with the file'),
});

const statusOf = (output: FileAccepted) => (output.duplicate ? 200 : 202);

function accepted(admitted: Admitted): FileAccepted {
  return { ...admitted, links: fileLinks(admitted) };
}

export const uploadFile = defineOperation({
  name: 'files.upload',
  summary: 'Upload an export file; a durable workflow ingests it',
  room: 'ingestion',
  permission: 'files:write',
  input: Form.partial(),
  output: FileAccepted,
  http: { method: 'post', path: '/api/v1/files', status: 202, body: 'multipart', form: Form, tag: 'files' },
  failures: [
    'payload_too_large',
    'upload_broken',
    'empty_file',
    'wrong_type',
    'encrypted_archive',
    'archive_bomb',
    'unsafe_path',
    'truncated_file',
    'invalid_encoding',
    'malformed',
    'idempotency_mismatch',
    'unavailable',
  ],
  audited: true,
  statusOf,
  async run(call) {
    const { upload } = call;
    if (!upload)
      throw new Failure('invalid_input', 'The form has no field `file`', {
        faults: [{ path: 'file', message: 'required' }],
      });
    const admitted = await takeUpload(call.deps, {
      owner: call.principal.id,
      filename: upload.filename,
      body: upload.body,
      idempotencyKey: call.idempotencyKey,
      fields: async () => {
        const form = parseInput(Form, await upload.fields());
        return { source_type: form.source_type, metadata: form.metadata ?? {} };
      },
    });
    return accepted(admitted);
  },
});

const ImportInput = z
  .object({
    source_type: z.enum(SOURCES).describe('which system exported the file'),
    object_key: z
      .string()
      .max(900)
      .regex(/^imports\/[A-Za-z0-9._/-]+$/, 'must be a key under imports/')
      .refine((key) => !key.split('/').some((part) => part === '' || part === '.' || part === '..'), 'must not climb')
      .optional()
      .describe('key under imports/ in the object store'),
    url: z
      .url({ protocol: /^https?$/ })
      .max(2_000)
      .optional()
      .describe('https address to read the file from'),
    content: z.string().min(1).max(1_000_000).optional().describe('the file itself, as text of at most 1 MB'),
    filename: z
      .string()
      .min(1)
      .max(255)
      .regex(/^[^/\\\0]+$/, 'must be a name, not a path')
      .optional()
      .describe('name to show; taken from the key or address when absent'),
    metadata: Metadata.optional(),
  })
  .refine((value) => [value.object_key, value.url, value.content].filter((v) => v !== undefined).length === 1, {
    message: 'give exactly one of object_key, url and content',
  });

export const importFile = defineOperation({
  name: 'files.import',
  summary: 'Ingest a file from the object store, an https address, or inline text',
  room: 'ingestion',
  permission: 'files:write',
  input: ImportInput,
  output: FileAccepted,
  http: { method: 'post', path: '/api/v1/files/import', status: 202, tag: 'files' },
  mcp: {
    tool: 'ingest_file',
    title: 'Ingest an export file',
    description:
      'Starts the durable ingestion of a Slack, Gong, Salesforce, Looker or HubSpot export from an https url, an object_key under imports/, or inline content (at most 1 MB of text). Returns file_id and workflow_id at once; follow with wait_for_workflow or get_processing_status.',
    readOnly: false,
    destructive: false,
    idempotent: true,
    openWorld: true,
    listed: true,
    taskFrom: 'workflow_id',
  },
  failures: ['not_found', 'empty_file', 'wrong_type', 'malformed', 'idempotency_mismatch', 'unavailable'],
  audited: true,
  statusOf,
  async run(call, input) {
    const filename = input.filename ?? nameOf(input);
    if (input.content !== undefined) {
      const content = Buffer.from(input.content);
      const admitted = await takeUpload(call.deps, {
        owner: call.principal.id,
        filename,
        body: [content] as unknown as AsyncIterable<Uint8Array>,
        idempotencyKey: call.idempotencyKey,
        fields: async () => ({ source_type: input.source_type, metadata: input.metadata ?? {} }),
      });
      return accepted(admitted);
    }
    const from: ImportFrom =
      input.object_key !== undefined ? { object_key: input.object_key } : { url: input.url ?? '' };
    if ('object_key' in from && (await call.deps.objects.stat(from.object_key)) === null) {
      throw new Failure('not_found', `No object ${from.object_key}`);
    }
    const file_id = randomUUID();
    const admitted = await admitFile(call.deps, {
      file: {
        file_id,
        owner: call.principal.id,
        workflow_id: newWorkflowId('ingest'),
        filename,
        source_type: input.source_type,
        size_bytes: 0,
        sha256: unfetchedHash(file_id),
        object_key: `uploads/${file_id}`,
        metadata: input.metadata ?? {},
      },
      import: from,
      idempotency:
        call.idempotencyKey === null
          ? null
          : {
              operation: 'files.import',
              key: call.idempotencyKey,
              body: JSON.stringify([from, input.source_type, filename, input.metadata]),
            },
    });
    return accepted(admitted);
  },
});

function nameOf(input: { object_key?: string | undefined; url?: string | undefined }): string {
  const path = input.object_key ?? (input.url ? new URL(input.url).pathname : '');
  return (path.split('/').at(-1) || 'import').slice(0, 255);
}
