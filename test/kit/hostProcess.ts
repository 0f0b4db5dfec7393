// One functions host as a process of its own, so that a test can kill it: settings come by environment, one line on standard output says that it is ready.
import { startHost } from '../../local/host/host';

const { HOST_STATE_DIR, HOST_CLOCK_TOKEN, HOST_TIMERS_EARLY, HOST_DISABLED } = process.env;

async function main(): Promise<void> {
  const host = await startHost({
    appRoot: process.cwd(),
    port: 0,
    offsetVariable: 'CLOCK_OFFSET_MS',
    ...(HOST_STATE_DIR && { stateDir: HOST_STATE_DIR }),
    ...(HOST_CLOCK_TOKEN && { clockToken: HOST_CLOCK_TOKEN }),
    timersEarly: HOST_TIMERS_EARLY === 'yes',
    disabledFunctions: (HOST_DISABLED ?? '').split(',').filter((name) => name !== ''),
    ...(process.env.FUNCTION_TIMEOUT_SECONDS && { functionTimeoutSeconds: Number(process.env.FUNCTION_TIMEOUT_SECONDS) }),
    onStopped: () => process.exit(3),
  });
  process.on('disconnect', () => process.exit(4));
  process.on('SIGTERM', () => void host.stop().then(() => process.exit(0)));
  process.send?.({ port: host.port, clockUrl: host.clockUrl });
}

void main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
