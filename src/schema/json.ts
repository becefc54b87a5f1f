/** JSON-safe values: all that may enter or leave a workflow, an activity, a row's jsonb column or a response. */

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };
