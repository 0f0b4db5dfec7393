/** Runs one app on the host in a process of its own, for tests: prints one JSON line when ready, stops at the end of standard input. */
import { startHost } from '../host';

type Arguments = Parameters<typeof startHost>[0];

const options = JSON.parse(process.argv[2] ?? '{}') as Arguments;

startHost({ ...options, log: (line) => void process.stderr.write(`${line}\n`), onStopped: (reason) => void process.stdout.write(`${JSON.stringify({ stopped: reason })}\n`) }).then(
  (host) => {
    process.stdout.write(`${JSON.stringify({ port: host.port, clockUrl: host.clockUrl, clockToken: host.clockToken, functions: host.functions, refused: host.refused })}\n`);
    process.stdin.resume().on('end', () => void host.stop().then(() => process.exit(0)));
  },
  (error: Error) => {
    process.stdout.write(`${JSON.stringify({ failed: error.message })}\n`);
    process.exit(1);
  },
);
