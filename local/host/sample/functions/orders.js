/** An order is taken over HTTP, put on a queue, worked off, and turned down for good if it keeps failing. */
const { app, output } = require('@azure/functions');
const { note } = require('./journal');

const orders = output.storageQueue({ queueName: '%ORDERS_QUEUE%', connection: 'AzureWebJobsStorage' });

app.http('takeOrder', {
  methods: ['POST'],
  route: 'orders',
  extraOutputs: [orders],
  handler: async (request, context) => {
    context.extraOutputs.set(orders, await request.json());
    return { status: 202 };
  },
});

app.storageQueue('workOff', {
  queueName: '%ORDERS_QUEUE%',
  connection: 'AzureWebJobsStorage',
  handler: async (order, context) => {
    note('order', { order, dequeueCount: context.triggerMetadata.dequeueCount });
    if (order.fails) throw new Error('This order fails.');
  },
});
