// What the runs reached: each cell of the lifecycle table, times each point of the cell's way at which the host can die or an answer can be lost.

const refusing = ['read'] as const;
const writing = ['read', 'before write', 'after write', 'look back', 'stored and lost', 'not stored and lost', 'lost and late'] as const;
const hinting = ['before hint', 'after hint'] as const;

/** From the table on paper (design §2), not from the code: which cells write, start a timer, hurry a hint. */
const pointsOf: Readonly<Record<string, readonly string[]>> = {
  'absent x create': writing,
  'absent x delete': refusing,
  'absent x recover': refusing,
  'absent x purge': refusing,
  'absent x expire': refusing,
  'active x create': writing,
  'active x delete': [...writing, 'before timer', 'after timer'],
  'active x recover': refusing,
  'active x purge': refusing,
  'active x expire': refusing,
  'deleted x create': refusing,
  'deleted x delete': refusing,
  'deleted x recover': [...writing, ...hinting],
  'deleted x purge': [...writing, ...hinting],
  'deleted x expire': refusing,
  'overdue x create': [...writing, ...hinting],
  'overdue x delete': refusing,
  'overdue x recover': refusing,
  'overdue x purge': refusing,
  'overdue x expire': [...writing, ...hinting],
};

/** The same cells of a key, but for what only an HSM has. */
const keyPointsOf = Object.fromEntries(Object.entries(pointsOf).map(([cell, points]) => [`key ${cell}`, points]));
const allOf: Readonly<Record<string, readonly string[]>> = { ...pointsOf, ...keyPointsOf };

export type Coverage = { readonly reached: Map<string, number>; reach(cell: string | undefined, point: string): void };

export function createCoverage(): Coverage {
  const reached = new Map<string, number>();
  return {
    reached,
    reach: (cell, point) => {
      if (cell === undefined || !allOf[cell]?.includes(point)) return;
      const key = `${cell}, ${point}`;
      reached.set(key, (reached.get(key) ?? 0) + 1);
    },
  };
}

export const allPoints: readonly string[] = Object.entries(allOf).flatMap(([cell, points]) => points.map((point) => `${cell}, ${point}`));

export const unreached = (reached: ReadonlyMap<string, number>): readonly string[] => allPoints.filter((point) => !reached.has(point));
