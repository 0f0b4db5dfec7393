// Makes a failing run short: leaves out steps as long as the same invariant still breaks.
import type { CodeUnderTest } from './codeUnderTest';
import { createCoverage } from './coverage';
import { play, type Run, stepsOf } from './run';

const ROUNDS_MAX = 12;

/** @returns the run with as few steps as were found to be needed. */
export async function shrink(code: CodeUnderTest, run: Run, invariant: string): Promise<Run> {
  const breaks = async (steps: readonly number[]): Promise<boolean> => (await play(code, { ...run, steps }, createCoverage())).violation?.invariant === invariant;
  let steps: readonly number[] = run.steps ?? Array.from({ length: stepsOf(run) }, (_, index) => index);
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const before = steps.length;
    for (let size = Math.ceil(steps.length / 2); size >= 1; size = Math.floor(size / 2))
      for (let from = 0; from < steps.length; ) {
        const fewer = [...steps.slice(0, from), ...steps.slice(from + size)];
        if (await breaks(fewer)) steps = fewer;
        else from += size;
      }
    if (steps.length === before) break;
  }
  return { ...run, steps };
}
