// A run: a world made from a seed, its steps one after the other, and the end in which all faults are over. What comes out is the seed's alone.
import { audit, conclude, runToEnd } from './audit';
import { passTime } from './clocks';
import type { CodeUnderTest } from './codeUnderTest';
import type { Task } from './commands';
import type { Coverage } from './coverage';
import { createEngine } from './engine';
import { advance, die, start } from './executions';
import { profileOf } from './profiles';
import { randomOf } from './random';
import { GROUPS, HOME, keyTaskOf, taskOf } from './requests';
import { step } from './scheduler';
import { isViolation } from './violation';
import { createWorld, type Host, type World } from './world';

export type Run = { readonly seed: number; readonly profile: string | undefined /** The steps that are taken; all of them if not given. */; readonly steps?: readonly number[] };
export type RunResult = { readonly steps: number; readonly violation: { readonly invariant: string; readonly message: string } | undefined; readonly trace: readonly string[] };

export const stepsOf = ({ seed, profile }: Run): number => profileOf(seed, profile).steps;

/** Plays one run. @param told collect the history for a person to read */
export async function play(code: CodeUnderTest, run: Run, coverage: Coverage, told = false): Promise<RunResult> {
  const trace: string[] | undefined = told ? [] : undefined;
  const world = createWorld(code, profileOf(run.seed, run.profile), coverage, run.seed, trace);
  let steps = 0;
  try {
    if (world.profile.engine) world.engine = await createEngine(world, code.orchestrator());
    await prepare(world);
    world.faultsOn = true;
    for (const index of run.steps ?? Array.from({ length: world.profile.steps }, (_, each) => each)) {
      world.random = randomOf(run.seed, index);
      await step(world);
      steps += 1;
      await world.engine?.settle();
      if (world.violation) throw world.violation;
      audit(world);
    }
    world.random = randomOf(run.seed, -2);
    await conclude(world);
    return { steps, violation: undefined, trace: trace ?? [] };
  } catch (error) {
    const found = isViolation(error)
      ? { invariant: error.invariant, message: error.message }
      : { invariant: 'no invariant', message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    trace?.push(`** ${found.message}`);
    return { steps, violation: found, trace: trace ?? [] };
  }
}

/** Groups, and mostly an HSM that has a past: active, deleted, or deleted and soon due. */
async function prepare(world: World): Promise<void> {
  const host = world.hosts[0] as Host;
  const through = async (task: Task): Promise<void> => runToEnd(world, await start(world, task, host));
  for (const { subscription, group } of GROUPS) await through(taskOf('groupPut', { ...HOME, subscription, group }));
  const { random } = world;
  if (random.chance(0.2)) return;
  const retentionDays = random.pick([7, 7, 90]);
  await through(taskOf('put', HOME, { request: { ...taskOf('put', HOME).request, retentionDays, ...(random.chance(0.2) && { purgeProtection: true }) } }));
  passTime(world, world.lroSeconds);
  if (random.chance(0.3 + world.profile.keyLife)) await keyPast(world, through);
  if (random.chance(0.5)) await through(taskOf('grant', HOME));
  if (random.chance(world.profile.fenceLife * 0.6)) await abandonedProtection(world, host);
  if (random.chance(0.5)) return;
  await through(taskOf('remove', HOME));
  passTime(world, world.lroSeconds);
  if (random.chance(0.5)) passTime(world, retentionDays * world.daySeconds - random.below(world.timeoutSeconds));
}

/** Mostly a key with a past: of one version or two, granted, active, deleted, or deleted and soon due. */
async function keyPast(world: World, through: (task: Task) => Promise<void>): Promise<void> {
  const { random } = world;
  const kinds = ['keyCreate', ...(random.chance(0.4) ? ['keyCreate'] : []), ...(random.chance(0.3) ? ['keyGrant'] : []), ...(random.chance(0.5) ? ['keyRemove'] : [])] as const;
  for (const kind of kinds) await through(keyTaskOf(kind as 'keyCreate', HOME.name));
  passTime(world, world.transitionSeconds);
}

/** Purge protection that was being switched on by a host that died after the first half, the fence: closed over a record without protection. */
async function abandonedProtection(world: World, host: Host): Promise<void> {
  const execution = await start(world, taskOf('protect', HOME), host);
  let call = execution.calls[0];
  for (; call && call.kind !== 'write'; call = execution.calls[0]) await advance(world, call, 'through');
  if (call) await advance(world, call, 'through');
  die(world, execution, 'dies with its host');
  if (world.random.chance(0.5)) passTime(world, 2 * world.timeoutSeconds);
}
