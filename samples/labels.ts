/** Names for generated records, so that questions can say what is relevant before ids exist. */
import type { ContentType, Source } from '../src/schema/names.ts';

export interface Labelled {
  external_id: string;
  content_type: ContentType;
  source: Source;
}

export interface Labels {
  add(label: string, record: Labelled): void;
  get(label: string): Labelled;
}

export function createLabels(): Labels {
  const known = new Map<string, Labelled>();
  return {
    add(label, record) {
      if (known.has(label)) throw new RangeError(`label ${label} is taken`);
      known.set(label, record);
    },
    get(label) {
      const found = known.get(label);
      if (found === undefined) throw new RangeError(`no record is labelled ${label}`);
      return found;
    },
  };
}

/** A file of the samples: text, bytes, or an archive's entries. */
export interface SampleFile {
  path: string;
  content: string | Uint8Array;
}
