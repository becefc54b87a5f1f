/** Page cursors of the access room: opaque to callers, JSON inside. */
import type { z } from 'zod';
import { Failure } from '../../schema/failures.ts';

export function encodeCursor(value: Record<string, string>): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** Throws Failure('invalid_input') for a cursor that this program did not make. */
export function decodeCursor<S extends z.ZodType>(shape: S, cursor: string | undefined): z.output<S> | null {
  if (cursor === undefined) return null;
  try {
    return shape.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
  } catch {
    throw new Failure('invalid_input', 'cursor: is not one that this list gave', {
      faults: [{ path: 'cursor', message: 'is not one that this list gave' }],
    });
  }
}
