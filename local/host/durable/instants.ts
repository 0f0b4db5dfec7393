/**
 * Instants and durations as .NET writes them: seven fractional digits at most, trailing zeros cut off.
 * Inside the replay they are ticks (100 ns since the Unix epoch) as bigint, because milliseconds lose what decides whether a timer is due.
 */

const TICKS_PER_MS = 10_000n;
const MS_PER_DAY = 86_400_000;

/** Ticks of an ISO instant in UTC with 0 to 7 fractional digits. Throws on anything else. */
export function ticksOf(iso: string): bigint {
  const parts = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,7}))?Z$/.exec(iso);
  const seconds = parts ? Date.parse(`${parts[1]}Z`) : Number.NaN;
  if (!parts || Number.isNaN(seconds)) throw new Error(`Not an instant in UTC: ${iso}`);
  return BigInt(seconds) * TICKS_PER_MS + BigInt((parts[2] ?? '').padEnd(7, '0'));
}

/** `2026-11-21T23:52:27.81Z`: trailing zeros of the fraction are cut off, and the point with them. */
export function isoOf(ticks: bigint): string {
  const fraction = (ticks % (1000n * TICKS_PER_MS)).toString().padStart(7, '0').replace(/0+$/, '');
  const seconds = new Date(Number(ticks / TICKS_PER_MS)).toISOString().slice(0, 19);
  return fraction === '' ? `${seconds}Z` : `${seconds}.${fraction}Z`;
}

export const ticksOfMs = (ms: number): bigint => BigInt(Math.trunc(ms)) * TICKS_PER_MS;

/** The first millisecond that is not before the instant. */
export const msNotBefore = (ticks: bigint): number => Number((ticks + TICKS_PER_MS - 1n) / TICKS_PER_MS);

/** A TimeSpan: `6.00:00:00`, `00:00:03`, `00:00:01.5000000`. */
export function timeSpanOf(ms: number): string {
  const clock = new Date(ms % MS_PER_DAY).toISOString();
  const fraction = ms % 1000 === 0 ? '' : `${clock.slice(19, 23)}0000`;
  const days = Math.floor(ms / MS_PER_DAY);
  return `${days === 0 ? '' : `${days}.`}${clock.slice(11, 19)}${fraction}`;
}

/**
 * A source of history timestamps over a clock of whole milliseconds. Each is later than the one before within the same millisecond and
 * has digits below it, as the real engine's have; cut to milliseconds it equals the clock.
 */
export function stamps(now: () => number): () => string {
  const STEP = 37n;
  let last = 0n;
  return () => {
    const floor = ticksOfMs(now());
    const next = last < floor || last >= floor + TICKS_PER_MS ? floor + 1n : last + STEP;
    last = next < floor + TICKS_PER_MS ? next : floor + TICKS_PER_MS - 1n;
    return isoOf(last);
  };
}
