// The Durable timers of deletions: an orchestration each, under the deletion's id. The Durable client exists only inside an invocation that has its binding, and has no time-outs of its own.
import type { InvocationContext } from '@azure/functions';
import * as df from 'durable-functions';
import type { PurgeTimers } from '../ports';
import { unavailable, within } from './unavailable';

export type FinishedTimers = {
  /**
   * Removes what is left of orchestrations that have ended and were started before that instant; those that still run are kept.
   * @returns how many. @throws Unavailable
   */
  purgeFinished(startedBefore: Date): Promise<number>;
};

/** In milliseconds. Removing many histories takes the engine a while. */
const DEFAULT_TIMEOUTS = { callMs: 10_000, purgeFinishedMs: 60_000 };

/** The engine deletes running orchestrations too when no state, or none of these, is named: always all four. */
const ENDED = [df.OrchestrationRuntimeStatus.Completed, df.OrchestrationRuntimeStatus.Terminated, df.OrchestrationRuntimeStatus.Failed, df.OrchestrationRuntimeStatus.Canceled];

/** Goes into a URL as it is: the client does not encode it. */
const END_REASON = 'deletion-ended';

/**
 * @param context of an invocation whose function has the Durable client among its extra inputs.
 * @param orchestrator the name of the orchestrator that runs a timer.
 * @throws Unavailable when the host gives no Durable client
 */
export function purgeTimers(context: InvocationContext, orchestrator: string, timeouts = DEFAULT_TIMEOUTS): PurgeTimers & FinishedTimers {
  const client = clientIn(context);

  /** One bounded call. `settled` are failures that say that it is so already. */
  async function call<T>(milliseconds: number, asked: () => Promise<T>, settled?: RegExp): Promise<T | undefined> {
    try {
      return await within(milliseconds, asked());
    } catch (error) {
      if (settled?.test((error as Error).message)) return undefined;
      throw unavailable(error);
    }
  }

  return {
    async start(timer) {
      // The id was coined for this deletion and nothing else: whoever has it is ours. Older engines say so with status 500.
      await call(timeouts.callMs, () => client.startNew(orchestrator, { instanceId: timer.deletionId, input: timer }), /already exists|status code: 409\b/i);
    },
    async end(deletionId) {
      await call(timeouts.callMs, () => client.terminate(deletionId, END_REASON), /^No instance with ID/);
    },
    async purgeFinished(startedBefore) {
      const purged = await call(timeouts.purgeFinishedMs, () =>
        client.purgeInstanceHistoryBy({ createdTimeFrom: new Date(0), createdTimeTo: startedBefore, runtimeStatus: ENDED }),
      );
      return purged?.instancesDeleted ?? 0;
    },
  };
}

function clientIn(context: InvocationContext): df.DurableClient {
  try {
    return df.getClient(context);
  } catch (error) {
    throw unavailable(error);
  }
}
