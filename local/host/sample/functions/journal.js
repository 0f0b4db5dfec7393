/** What the sample has done, so that it can be asked for over HTTP. */
const { app } = require('@azure/functions');

const entries = [];

/** Notes one thing that happened, at the app's own time. */
const note = (kind, detail) => entries.push({ kind, detail, at: new Date(Date.now() + Number(process.env.SAMPLE_CLOCK_OFFSET_MS ?? 0)).toISOString() });

app.http('journal', { methods: ['GET'], route: 'journal', handler: async () => ({ jsonBody: entries }) });

module.exports = { note };
