// Many runs, one after the other, from consecutive seeds; stops at the first violation. What a worker process does, and what `npm test` does in its own.
import type { CodeUnderTest } from './codeUnderTest';
import { createCoverage } from './coverage';
import { play, type Run } from './run';
import { shrink } from './shrink';

export type Batch = { readonly seed: number; readonly runs: number; readonly stride: number; readonly profile: string | undefined };
export type Failure = {
  readonly run: Run;
  readonly runsNeeded: number;
  readonly invariant: string;
  readonly message: string;
  readonly shrunk: Run;
  readonly history: readonly string[];
};
export type BatchResult = {
  readonly runs: number;
  readonly steps: number;
  readonly stepsMin: number;
  readonly reached: readonly (readonly [string, number])[];
  readonly failure: Failure | undefined;
};

export async function playBatch(code: CodeUnderTest, { seed, runs, stride, profile }: Batch, stopped: () => boolean = () => false): Promise<BatchResult> {
  // Refusals are thrown by the thousand and nobody reads their stacks.
  Error.stackTraceLimit = 0;
  const coverage = createCoverage();
  let steps = 0;
  let stepsMin = Number.POSITIVE_INFINITY;
  let played = 0;
  for (; played < runs && !stopped(); played++) {
    const run: Run = { seed: seed + played * stride, profile };
    const result = await play(code, run, coverage);
    steps += result.steps;
    if (result.violation) {
      const failure = await explain(code, run, played + 1, result.violation.invariant);
      return { runs: played + 1, steps, stepsMin, reached: [...coverage.reached], failure };
    }
    stepsMin = Math.min(stepsMin, result.steps);
    // A worker hears its parent only between turns of the event loop.
    if (played % 500 === 499) await new Promise(setImmediate);
  }
  return { runs: played, steps, stepsMin, reached: [...coverage.reached], failure: undefined };
}

async function explain(code: CodeUnderTest, run: Run, runsNeeded: number, invariant: string): Promise<Failure> {
  const shrunk = await shrink(code, run, invariant);
  const { violation, trace } = await play(code, shrunk, createCoverage(), true);
  return { run, runsNeeded, invariant, message: violation?.message ?? '', shrunk, history: trace };
}

/** The line that plays a run again. */
export const replayLine = ({ seed, profile, steps }: Run): string =>
  `npm run simulate -- --seed ${seed}${profile ? ` --profile ${profile}` : ''} --replay${steps ? ` --steps ${steps.join(',') || 'none'}` : ''}`;
