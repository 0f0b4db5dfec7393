// The event-triggered clean-up: a message names a debt, one page of what a purged HSM owned is erased, the next message is sent.
import { app } from '@azure/functions';
import { CLEANUP_QUEUE, ready, retentionService } from '../shared/app';
import { guid, hsmKey, keyKey } from '../shared/domain/names';
import type { Debt } from '../shared/domain/plan';

/** As host.json has it: at the last one the host puts the message away as poison, and the sweeper sends anew from the debt. */
const DEQUEUE_COUNT_MAX = 5;

/** A forged or broken message names nothing. */
function debtOf(message: unknown): Debt | undefined {
  const { hsm, incarnation, key } = record(message);
  const names = { hsm: hsmKey(String(hsm)), incarnation: guid(String(incarnation)) };
  if (names.hsm === undefined || names.incarnation === undefined) return undefined;
  const debt = { hsm: names.hsm, incarnation: names.incarnation };
  if (key === undefined) return debt;
  const ids = { name: keyKey(String(record(key).name)), incarnation: guid(String(record(key).incarnation)) };
  return ids.name === undefined || ids.incarnation === undefined ? undefined : { ...debt, key: { name: ids.name, incarnation: ids.incarnation } };
}

const record = (value: unknown): Readonly<Record<string, unknown>> => (typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {});

app.storageQueue('cleanup', {
  queueName: CLEANUP_QUEUE,
  connection: 'AzureWebJobsStorage',
  handler: async (message: unknown, context) => {
    const debt = debtOf(message);
    if (!debt) return context.error('cleanup: a message that names no debt was dropped');
    try {
      await ready();
      await retentionService().erase(debt);
    } catch (error) {
      if (Number(context.triggerMetadata?.dequeueCount) >= DEQUEUE_COUNT_MAX) context.error(`ALARM cleanup: message for ${debt.key?.incarnation ?? debt.incarnation} is poison`);
      throw error;
    }
  },
});
