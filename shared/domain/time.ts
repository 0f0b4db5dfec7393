// Instants and the two texts they are written in. No clock stands here: `now` always comes with a read of the store.

/** Whole seconds since the epoch. */
export type Instant = number;

export const DAY_SECONDS = 86_400;

/** `2027-01-01T00:00:00Z`: row keys, deletion dates. */
export const toText = (instant: Instant): string => `${isoOf(instant).slice(0, 19)}Z`;

/** `2027-01-01T00:00:00.000Z`: systemData, which the service prints to the millisecond. */
export const toMillisecondText = (instant: Instant): string => isoOf(instant);

const isoOf = (instant: Instant): string => new Date(instant * 1000).toISOString();
