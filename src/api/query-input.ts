/** Query strings to untrusted input: repeated or comma-separated values where the schema wants a list. */
import { z } from 'zod';
import type { ApiContext } from './context.ts';

export function readQuery(c: ApiContext, schema: z.ZodObject): Record<string, unknown> {
  const input: Record<string, unknown> = {};
  for (const [name, values] of Object.entries(c.req.queries())) {
    // Own fields only: a parameter named like something of Object.prototype is no field.
    const field = Object.hasOwn(schema.shape, name) ? schema.shape[name] : undefined;
    input[name] = field && isList(field) ? values.flatMap((value) => value.split(',')) : values.at(-1);
  }
  return input;
}

/** Whether a field takes an array, looking through optional, default and the like. */
export function isList(field: z.core.$ZodType): boolean {
  if (field instanceof z.ZodArray) return true;
  if (field instanceof z.ZodOptional || field instanceof z.ZodNullable || field instanceof z.ZodDefault) {
    return isList(field.def.innerType);
  }
  if (field instanceof z.ZodPipe) return isList(field.def.in);
  return false;
}
