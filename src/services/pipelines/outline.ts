/** What a definition is checked against, and what could be read of one that may be wrong in any way. */
import type { JsonObject } from '../../schema/json.ts';
import type { Edge } from './graph.ts';

export interface CheckOptions {
  /** Whether a stage can run the operation of this name. */
  operates(name: string): boolean;
  /** Longest timeout of a stage, in seconds. */
  maxTimeout: number;
}

export interface Outline {
  stages: JsonObject[];
  names: (string | null)[];
  edges: Edge[];
  upstream: Set<number>[];
  /** For each stage the one whose compensation it is. */
  compensates: Map<number, number>;
}
