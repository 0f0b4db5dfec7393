// `npm run simulate -- --runs N --seed S [--profile P] [--code DIR]`: plays many runs on every core, and prints what was reached or the first history that breaks an invariant. `--replay [--steps a,b,c]` tells one run.
import { type ChildProcess, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { type Batch, type BatchResult, type Failure, playBatch, replayLine } from './simulator/batch';
import { loadCode } from './simulator/codeUnderTest';
import { allPoints, createCoverage, unreached } from './simulator/coverage';
import { profiles } from './simulator/profiles';
import { play } from './simulator/run';

/** From this number of runs on, a point that was not reached is a failure. */
const RUNS_THAT_REACH_ALL = 200_000;

const { values: options } = parseArgs({
  options: {
    runs: { type: 'string', default: '10000' },
    seed: { type: 'string' },
    profile: { type: 'string' },
    code: { type: 'string' },
    workers: { type: 'string' },
    replay: { type: 'boolean', default: false },
    steps: { type: 'string' },
    json: { type: 'boolean', default: false },
    worker: { type: 'boolean', default: false },
  },
});

if (options.worker) work();
else main().then((code) => (process.exitCode = code));

async function main(): Promise<number> {
  const seed = options.seed === undefined ? Math.floor(Math.random() * 0x3fffffff) : Number(options.seed);
  const runs = Number(options.runs);
  const { profile } = options;
  if (!Number.isSafeInteger(seed) || !Number.isSafeInteger(runs) || runs < 1 || (profile !== undefined && !profiles.has(profile))) {
    console.error(`usage: npm run simulate -- [--runs N] [--seed S] [--profile ${[...profiles.keys()].join('|')}] [--replay [--steps a,b,c]]`);
    return 2;
  }
  if (options.replay) return replay(seed, profile);
  const started = process.hrtime.bigint();
  const results = await playOnAllCores({ seed, runs, stride: 1, profile });
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  const failures = results.flatMap((result) => result.failure ?? []);
  const reached = new Map<string, number>();
  for (const [point, count] of results.flatMap((result) => result.reached)) reached.set(point, (reached.get(point) ?? 0) + count);
  const total = { runs: sum(results, 'runs'), steps: sum(results, 'steps') };
  if (options.json) console.log(JSON.stringify({ ...total, seconds, failure: failures[0] }));
  else report(total, seed, seconds, reached, failures[0], Math.min(...results.map((result) => result.stepsMin)));
  const missing = unreached(reached);
  return failures.length || (total.runs >= RUNS_THAT_REACH_ALL && profile === undefined && missing.length) ? 1 : 0;
}

const sum = (results: readonly BatchResult[], member: 'runs' | 'steps'): number => results.reduce((total, result) => total + result[member], 0);

async function replay(seed: number, profile: string | undefined): Promise<number> {
  const steps = options.steps === undefined ? undefined : options.steps === 'none' ? [] : options.steps.split(',').map(Number);
  const { violation, trace } = await play(loadCode(options.code), { seed, profile, ...(steps && { steps }) }, createCoverage(), true);
  console.log(trace.join('\n'));
  return violation ? 1 : 0;
}

function report(total: { runs: number; steps: number }, seed: number, seconds: number, reached: ReadonlyMap<string, number>, failure: Failure | undefined, stepsMin: number): void {
  console.log(
    `${total.runs} runs from seed ${seed}, ${(total.steps / total.runs).toFixed(1)} steps each (at least ${stepsMin}) beside their preparation and end, ${seconds.toFixed(1)} s`,
  );
  const missing = unreached(reached);
  console.log(`cells x crash points reached: ${allPoints.length - missing.length} of ${allPoints.length}${missing.length ? `; not reached: ${missing.join('; ')}` : ''}`);
  const least = [...reached].sort(([, a], [, b]) => a - b).slice(0, 5);
  if (least.length) console.log(`least often: ${least.map(([point, count]) => `${point} (${count})`).join('; ')}`);
  if (!failure) console.log('no violation');
  else
    console.log(
      `\nVIOLATION of ${failure.invariant} in run ${failure.runsNeeded}, seed ${failure.run.seed}\n${failure.history.join('\n')}\n\nagain: ${replayLine(failure.shrunk)}`,
    );
}

/** Each worker plays every n-th seed; the first failure stops all. */
async function playOnAllCores(batch: Batch): Promise<readonly BatchResult[]> {
  const count = Math.min(Number(options.workers ?? availableParallelism()), Math.ceil(batch.runs / 100));
  if (count <= 1) return [await playBatch(loadCode(options.code), batch)];
  const children: ChildProcess[] = [];
  return Promise.all(
    Array.from({ length: count }, (_, index) => {
      const child = fork(__filename, ['--worker', ...(options.code ? ['--code', options.code] : [])], { execArgv: ['--max-semi-space-size=64'] });
      children.push(child);
      return new Promise<BatchResult>((resolve, reject) => {
        child.once('message', (result: BatchResult) => {
          if (result.failure) for (const other of children) if (other !== child && other.connected) other.send('stop', () => undefined);
          child.disconnect();
          resolve(result);
        });
        child.once('exit', (code) => code && reject(new Error(`a worker ended with ${code}`)));
        child.send({ ...batch, seed: batch.seed + index, stride: count, runs: Math.ceil((batch.runs - index) / count) });
      });
    }),
  );
}

function work(): void {
  let stopped = false;
  process.on('message', (message: Batch | 'stop') => {
    if (message === 'stop') stopped = true;
    else playBatch(loadCode(options.code), message, () => stopped).then((result) => process.connected && process.send?.(result));
  });
}
