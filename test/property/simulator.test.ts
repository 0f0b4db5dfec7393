// A small share of the simulator's runs at every test, from a fresh seed, which is printed: the long runs are `npm run simulate`.

import type { HostCore } from '../../local/host/functionsCore';
import { type Failure, playBatch, replayLine } from './simulator/batch';
import { loadCode } from './simulator/codeUnderTest';
import { allPoints } from './simulator/coverage';
import { createCore, appInItsPlace as mockApp } from './simulator/orchestrator';

jest.mock('@azure/functions-core', () => (globalThis as { simulatedCore?: HostCore }).simulatedCore?.api, { virtual: true });
jest.mock('../../shared/app', () => mockApp);

const RUNS = 2000;
const ENGINE_RUNS = 60;

const code = loadCode(undefined, () => {
  const core = createCore();
  Object.assign(globalThis, { simulatedCore: core });
  require('../../functions/purgeAtDeadline');
  return core;
});

const freshSeed = (): number => Math.floor(Math.random() * 0x3fffffff);
const told = (failure: Failure | undefined): string => (failure ? `${failure.history.join('\n')}\n\nagain: ${replayLine(failure.shrunk)}` : 'no violation');

test(`${RUNS} simulated runs keep every invariant`, async () => {
  const seed = freshSeed();
  const { runs, steps, reached, failure } = await playBatch(code, { seed, runs: RUNS, stride: 1, profile: undefined });
  console.info(`${runs} runs from seed ${seed}, ${steps} steps; cells x crash points reached: ${reached.length} of ${allPoints.length}`);
  expect(told(failure)).toBe('no violation');
}, 120_000);

test(`${ENGINE_RUNS} more with the real orchestrator on the embedded engine`, async () => {
  const seed = freshSeed();
  const { runs, failure } = await playBatch(code, { seed, runs: ENGINE_RUNS, stride: 1, profile: 'engine' });
  console.info(`${runs} runs of the engine from seed ${seed}`);
  expect(told(failure)).toBe('no violation');
}, 120_000);
