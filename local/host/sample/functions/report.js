/** A report by the hour. */
const { app } = require('@azure/functions');
const { note } = require('./journal');

app.timer('report', {
  schedule: '%REPORT_SCHEDULE%',
  handler: async (timer) => {
    note('report', timer);
  },
});
