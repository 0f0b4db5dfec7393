// The event-triggered clean-up: a message names a debt, one page of what a purged HSM owned is erased, the next message is sent.
import { app } from '@azure/functions';
import { CLEANUP_QUEUE, ready, retentionService } from '../shared/app';
import { guid, hsmKey } from '../shared/domain/names';

/** As host.json has it: at the last one the host puts the message away as poison, and the sweeper sends anew from the debt. */
const DEQUEUE_COUNT_MAX = 5;

app.storageQueue('cleanup', {
  queueName: CLEANUP_QUEUE,
  connection: 'AzureWebJobsStorage',
  handler: async (message: unknown, context) => {
    const { hsm, incarnation } = (typeof message === 'object' && message !== null ? message : {}) as { readonly hsm?: unknown; readonly incarnation?: unknown };
    const debt = { hsm: hsmKey(String(hsm)), incarnation: guid(String(incarnation)) };
    if (debt.hsm === undefined || debt.incarnation === undefined) return context.error('cleanup: a message that names no debt was dropped');
    try {
      await ready();
      await retentionService().erase({ hsm: debt.hsm, incarnation: debt.incarnation });
    } catch (error) {
      if (Number(context.triggerMetadata?.dequeueCount) >= DEQUEUE_COUNT_MAX) context.error(`ALARM cleanup: message for ${debt.incarnation} is poison`);
      throw error;
    }
  },
});
