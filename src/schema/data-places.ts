/** Which objects everybody may read as data: the places that DATA_PREFIXES names, in our own bucket and in others. */

export interface DataPlace {
  /** Null: our own. */
  bucket: string | null;
  /** Ends with a slash; empty is the whole bucket. */
  prefix: string;
}

const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

export function isBucketName(text: string): boolean {
  return BUCKET.test(text);
}

/** `imports/`, `/` (everything), `s3://bucket/prefix/`; null when it is none of these. */
export function parseDataPlace(entry: string): DataPlace | null {
  const [, bucket, key] = /^s3:\/\/([^/]*)\/?(.*)$/.exec(entry) ?? [];
  if (bucket !== undefined && !isBucketName(bucket)) return null;
  const parts = (key ?? entry).replace(/^\/|\/$/g, '').split('/');
  const whole = parts.length === 1 && parts[0] === '';
  if (!whole && parts.some((part) => part === '' || part === '.' || part === '..')) return null;
  return { bucket: bucket ?? null, prefix: whole ? '' : `${parts.join('/')}/` };
}

/** Whether a key, or a prefix ending with a slash, lies in one of the places. `own` is the name of our bucket. */
export function isOpenData(entries: readonly string[], own: string, at: { bucket: string; key: string }): boolean {
  return entries.some((entry) => {
    const place = parseDataPlace(entry);
    return place !== null && (place.bucket ?? own) === at.bucket && `${at.key}/`.startsWith(place.prefix);
  });
}

/** What is wrong with settings that open to all what is not open at all: one line a bucket. */
export function closedBuckets(settings: {
  DATA_PREFIXES: readonly string[];
  DATA_BUCKETS: readonly string[];
  S3_BUCKET: string;
}): string[] {
  const named = settings.DATA_PREFIXES.flatMap((entry) => parseDataPlace(entry)?.bucket ?? []);
  const closed = named.filter((bucket) => bucket !== settings.S3_BUCKET && !settings.DATA_BUCKETS.includes(bucket));
  return closed.map((bucket) => `DATA_PREFIXES: names the bucket ${bucket}, which DATA_BUCKETS does not`);
}
