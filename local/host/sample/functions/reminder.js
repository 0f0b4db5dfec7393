/** A reminder that waits for a day on a Durable timer. */
const { app } = require('@azure/functions');
const df = require('durable-functions');
const { note } = require('./journal');

df.app.orchestration('reminder', function* (context) {
  const { text, at } = context.df.getInput();
  yield context.df.createTimer(new Date(at));
  yield context.df.callActivity('remind', { text });
});

df.app.activity('remind', {
  handler: async ({ text }) => {
    note('reminder', text);
    return 'reminded';
  },
});

app.http('startReminder', {
  methods: ['POST'],
  route: 'reminders/{id}',
  extraInputs: [df.input.durableClient()],
  handler: async (request, context) => {
    const client = df.getClient(context);
    await client.startNew('reminder', { instanceId: request.params.id, input: await request.json() });
    return { status: 202 };
  },
});

app.http('showReminder', {
  methods: ['GET'],
  route: 'reminders/{id}',
  extraInputs: [df.input.durableClient()],
  handler: async (request, context) => ({ jsonBody: await df.getClient(context).getStatus(request.params.id) }),
});
