// The Durable timer of one deletion: sleeps in short hops until the deadline, then asks the record. The record decides; this only says "go and look".

import type { OrchestrationContext } from 'durable-functions';
import * as df from 'durable-functions';
import { PURGE_AT_DEADLINE, ready, retentionService } from '../shared/app';
import type { Timer } from '../shared/domain/plan';
import type { LookAnswer } from '../shared/service/retention';

const MINUTE_MS = 60_000;
/** A timer over 6 days cannot be ended cleanly: it fails its instance or keeps it running to the deadline. */
const HOP_MS = 5 * 24 * 60 * MINUTE_MS;
/** Real timers fire up to a second early. */
const LAST_HOP_PADDING_MS = 1000;
const FAILURES_MAX = 100;

/** 1, 2, 4 … 60 minutes: a next look in the orchestrator's past would spin, and one a minute for days, while clocks differ, would make a long history. */
const pauseMs = (looks: number): number => Math.min(2 ** (looks - 1), 60) * MINUTE_MS;

/** No continueAsNew: a terminate that arrives with it is lost. 90 days are 18 hops, some 80 events. */
export function* purgeAtDeadline(context: OrchestrationContext): Generator<df.Task, void, unknown> {
  const timer = context.df.getInput<Timer>() as Timer;
  const now = (): number => context.df.currentUtcDateTime.getTime();
  let lookAt = timer.purgeAt * 1000;
  for (let looks = 0, failures = 0; failures < FAILURES_MAX; ) {
    if (now() < lookAt) {
      yield context.df.createTimer(new Date(Math.min(lookAt + LAST_HOP_PADDING_MS, now() + HOP_MS)));
      continue;
    }
    looks += 1;
    try {
      const answer = (yield context.df.callActivity('lookAtDeletion', timer)) as LookAnswer;
      if (answer.kind === 'done') return;
      lookAt = Math.max(answer.lookAgainAt * 1000, now() + pauseMs(looks));
    } catch {
      failures += 1;
      lookAt = now() + pauseMs(looks);
    }
  }
}

df.app.orchestration(PURGE_AT_DEADLINE, purgeAtDeadline);

df.app.activity('lookAtDeletion', {
  handler: async (timer: Timer): Promise<LookAnswer> => {
    await ready();
    return retentionService().look(timer);
  },
});
