// The sweeper: every quarter of an hour it does what lost hints would have done, and removes orchestrations that ended long ago.
import { app } from '@azure/functions';
import * as df from 'durable-functions';
import { hostNow, ready, sweeperOf } from '../shared/app';

const FINISHED_KEPT_MS = 30 * 24 * 3_600_000;

app.timer('sweep', {
  schedule: '0 */15 * * * *',
  extraInputs: [df.input.durableClient()],
  handler: async (_, context) => {
    await ready();
    const { sweep, purgeFinished } = sweeperOf(context);
    const report = await sweep();
    context.log(`sweep: ${JSON.stringify(report)}`);
    await purgeFinished(new Date(hostNow().getTime() - FINISHED_KEPT_MS));
  },
});
