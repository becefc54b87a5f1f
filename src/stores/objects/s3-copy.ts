/** Copies an object within S3 that is too large for one request, part by part and without downloading it. */
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type S3Client,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';

/** Parts are 5 MiB to 5 GiB and at most 10,000 (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html). */
const PART_BYTES = 1024 ** 3;
const MIN_PART_BYTES = 5 * 1024 ** 2;

/** The copy appears whole at its end; a failure aborts it and leaves no parts. */
export async function copyInParts(options: {
  client: S3Client;
  bucket: string;
  from: string;
  to: string;
  /** Bytes of the source. */
  size: number;
}): Promise<void> {
  const { client, size } = options;
  const target = { Bucket: options.bucket, Key: options.to };
  const { UploadId } = await client.send(new CreateMultipartUploadCommand(target));
  try {
    const part = Math.max(MIN_PART_BYTES, Math.min(PART_BYTES, Math.ceil(size / 2)));
    const Parts: { PartNumber: number; ETag: string | undefined }[] = [];
    for (let start = 0; start < size; start += part) {
      const PartNumber = Parts.length + 1;
      const copied = await client.send(
        new UploadPartCopyCommand({
          ...target,
          UploadId,
          PartNumber,
          CopySource: `${options.bucket}/${options.from}`,
          CopySourceRange: `bytes=${start}-${Math.min(start + part, size) - 1}`,
        }),
      );
      Parts.push({ PartNumber, ETag: copied.CopyPartResult?.ETag });
    }
    await client.send(new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts } }));
  } catch (error) {
    // The first fault is the one to tell; what an abort leaves, the sweep of unfinished uploads removes.
    await client.send(new AbortMultipartUploadCommand({ ...target, UploadId })).catch(() => undefined);
    throw error;
  }
}
