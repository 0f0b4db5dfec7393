/** Ways to go wrong, and the hooks that see them. */
const { app } = require('@azure/functions');
const { note } = require('./journal');

app.http('slow', {
  methods: ['GET'],
  route: 'slow/{ms:int}',
  handler: async (request) => {
    await new Promise((resolve) => setTimeout(resolve, Number(request.params.ms)));
    return { body: 'done' };
  },
});

app.http('forget', {
  methods: ['POST'],
  route: 'forget',
  handler: async () => {
    void Promise.reject(new Error('Nobody waits for this.'));
    return { status: 202 };
  },
});

app.hook.appStart(() => note('hook', 'appStart'));
app.hook.appTerminate(() => console.error('appTerminate ran'));
app.hook.preInvocation((context) => {
  if (context.invocationContext.functionName === 'slow') context.hookData.before = true;
});
app.hook.postInvocation((context) => {
  if (context.invocationContext.functionName === 'slow') note('hook', { before: context.hookData.before, failed: Boolean(context.error) });
});
app.hook.log((context) => {
  context.message = `(${context.message})`;
});
