/** The shape of a promise with its proof, and short ways to write them. */

export type Proof =
  /** A test file and a distinctive part of the title of a test (or of its row of data) in it. */
  | { file: string; test: string }
  /** A row of bench/RESULTS.md by its letter and a part of its text. */
  | { bench: string; row: string }
  /** Seen by a person: one sentence that says what. */
  | { by: 'hand'; seen: string };

export interface Requirement {
  id: string;
  promise: string;
  proof: Proof[];
  /** One sentence: what of it does not hold yet, or has not been seen. */
  open?: string;
}

export const t = (file: string, ...titles: string[]): Proof[] =>
  titles.map((test) => ({ file: `test/${file}.test.ts`, test }));
export const bench = (id: string, ...rows: string[]): Proof[] => rows.map((row) => ({ bench: id, row }));
export const hand = (seen: string): Proof[] => [{ by: 'hand', seen }];
export const need = (id: string, promise: string, ...proof: Proof[][]): Requirement => ({
  id,
  promise,
  proof: proof.flat(),
});
