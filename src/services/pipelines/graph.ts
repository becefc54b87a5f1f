/** The graph of a pipeline: what needs what, in which order, and where it turns in a circle. */

export interface Edge {
  from: number;
  to: number;
}

/** For each stage the stages it needs directly, in the order in which the definition names them. */
export function needsOf(count: number, edges: readonly Edge[]): number[][] {
  const needs: number[][] = Array.from({ length: count }, () => []);
  for (const { from, to } of edges) needs[to]?.push(from);
  return needs;
}

/** For each stage all stages that are over before it starts. Stages on a circle count as upstream of themselves. */
export function upstreamOf(needs: readonly (readonly number[])[]): Set<number>[] {
  return needs.map((_, stage) => {
    const seen = new Set<number>();
    const visit = (at: number): void => {
      for (const need of needs[at] ?? []) {
        if (seen.has(need)) continue;
        seen.add(need);
        visit(need);
      }
    };
    visit(stage);
    return seen;
  });
}

/** One circle for each knot of stages that need one another, as their indexes in order, the first one repeated at the end. */
export function cyclesOf(needs: readonly (readonly number[])[]): number[][] {
  const upstream = upstreamOf(needs);
  const told = new Set<number>();
  const cycles: number[][] = [];
  for (let stage = 0; stage < needs.length; stage += 1) {
    if (told.has(stage) || !upstream[stage]?.has(stage)) continue;
    const knot = needs
      .map((_, other) => other)
      .filter((other) => upstream[stage]?.has(other) && upstream[other]?.has(stage));
    for (const member of knot) told.add(member);
    cycles.push(shortest(needs, stage));
  }
  return cycles;
}

/** The shortest way from a stage back to itself, in the direction of the work. */
function shortest(needs: readonly (readonly number[])[], start: number): number[] {
  const next = new Map<number, number>();
  let front = [start];
  while (front.length > 0) {
    const further: number[] = [];
    for (const at of front) {
      for (const need of needs[at] ?? []) {
        if (next.has(need)) continue;
        next.set(need, at);
        further.push(need);
      }
    }
    front = next.has(start) ? [] : further;
  }
  const way = [start];
  for (let at = next.get(start); at !== undefined; at = next.get(at)) {
    way.push(at);
    if (at === start || way.length > needs.length + 1) break;
  }
  return way;
}
