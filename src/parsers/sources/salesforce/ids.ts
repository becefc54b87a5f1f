/**
 * Record ids: 15 characters (case matters) or 18 (the same with a checksum of the case).
 * https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/field_types.htm (ID)
 */

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ012345';
const ID_15 = /^[A-Za-z0-9]{15}$/;
const ID_18 = /^[A-Za-z0-9]{15}[A-Z0-5]{3}$/i;

export function isSalesforceId(value: string): boolean {
  return ID_15.test(value) || ID_18.test(value);
}

/** The 18-character form; anything that is no id comes back as it is. */
export function longId(value: string): string {
  if (ID_18.test(value)) return value.slice(0, 15) + value.slice(15).toUpperCase();
  if (!ID_15.test(value)) return value;
  let suffix = '';
  for (let block = 0; block < 3; block += 1) {
    let bits = 0;
    for (let index = 0; index < 5; index += 1) {
      const char = value[block * 5 + index] ?? '';
      if (char >= 'A' && char <= 'Z') bits |= 1 << index;
    }
    suffix += ALPHABET[bits];
  }
  return value + suffix;
}
