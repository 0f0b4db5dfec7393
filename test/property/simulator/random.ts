// Randomness that a seed replays: every step of a run draws from a stream of its own, so that leaving a step out does not change what the others draw.

export type Random = {
  /** A whole number from 0 to below `limit`. */
  below(limit: number): number;
  /** True that often, 0 to 1. */
  chance(probability: number): boolean;
  pick<T>(from: readonly T[]): T;
};

/** @param stream the step's number; -1 draws what a run is set up with. */
export function randomOf(seed: number, stream: number): Random {
  let state = (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(stream + 0x7f4a7c15, 0xc2b2ae35)) >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  next();
  const below = (limit: number): number => Math.floor((next() / 0x1_0000_0000) * limit);
  return {
    below,
    chance: (probability) => next() / 0x1_0000_0000 < probability,
    pick: (from) => {
      if (from.length === 0) throw new RangeError('nothing to pick from');
      return from[below(from.length)] as never;
    },
  };
}

const totals = new WeakMap<object, { readonly entries: readonly (readonly [string, number])[]; readonly total: number }>();

/** Picks by weight; entries of weight 0 are never picked. */
export function pickWeighted<K extends string>(random: Random, weights: Readonly<Record<K, number>>): K {
  const known = totals.get(weights) ?? totalOf(weights);
  let rest = random.below(1_000_000) * (known.total / 1_000_000);
  for (const [key, weight] of known.entries) {
    if (rest < weight) return key as K;
    rest -= weight;
  }
  throw new RangeError('weights that add up to nothing');
}

function totalOf(weights: Readonly<Record<string, number>>) {
  const entries = Object.entries(weights);
  const known = { entries, total: entries.reduce((sum, [, weight]) => sum + weight, 0) };
  totals.set(weights, known);
  return known;
}
