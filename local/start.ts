// `npm start`: an instance from the command line, until it is told to stop.
import { parseArgs } from 'node:util';
import { startInstance } from './instance';

const USAGE = 'npm start -- [--data DIR] [--port N] [--in-memory] [--clock INSTANT] [--verbose]';
const PORT = 8443;
const DATA_DIR = '.local';

type Options = { readonly dataDir: string; readonly port: number; readonly inMemory: boolean; readonly clockAt?: number; readonly verbose: boolean };

/** @throws Error of one line for what cannot be understood */
function readOptions(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      data: { type: 'string', default: DATA_DIR },
      port: { type: 'string', default: String(PORT) },
      'in-memory': { type: 'boolean', default: false },
      clock: { type: 'string' },
      verbose: { type: 'boolean', default: false },
    },
  });
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new Error(`--port must be a number from 0 to 65535, not "${values.port}".`);
  const clockAt = values.clock === undefined ? undefined : Date.parse(values.clock);
  if (Number.isNaN(clockAt)) throw new Error(`--clock must be an instant such as 2027-01-01T00:00:00Z, not "${values.clock}".`);
  return { dataDir: values.data, port, inMemory: values['in-memory'], verbose: values.verbose, ...(clockAt !== undefined && { clockAt }) };
}

const quote = (path: string): string => (/^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`);

async function main(): Promise<void> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 20) || major > 24) throw new Error(`Node ${process.versions.node} is not supported. Take 20.20 or later, up to 24.`);
  const options = readOptions(process.argv.slice(2));
  const began = Date.now();
  let stopping = false;
  const instance = await startInstance({
    ...options,
    log: options.verbose ? (line) => console.log(line) : (line) => void (/\[(error|warning)\]|ALARM/.test(line) && console.error(line)),
    ...(options.verbose && { requestLog: ({ host, method, path, status }) => console.log(`${method} https://${host}${path} ${status}`) }),
    onStopped: (reason) => void end(`The functions host stopped: ${reason}`, 1),
  });
  async function end(why: string, code: number): Promise<void> {
    if (stopping) return;
    stopping = true;
    console.log(why);
    await instance.stop();
    process.exit(code);
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void end('Stopping; nothing is lost.', 0));
  const environment = `${quote(instance.dataDir)}/env.sh`;
  console.log(`Managed HSM is ready after ${((Date.now() - began) / 1000).toFixed(1)} s.
  clients      https://127.0.0.1:${instance.edgePort} as HTTPS proxy, or directly by name
  point az at  . ${environment}
  log in       az login --service-principal -u owner -p any --tenant ${instance.tenantId}
  data         ${options.inMemory ? 'in memory; gone when this ends' : instance.dataDir}
  clock        npm run clock -- show --data ${quote(instance.dataDir)}
Every local user of this machine is an Owner here: any password is accepted.`);
}

main().catch((error: unknown) => {
  const { code, message } = error as NodeJS.ErrnoException;
  console.error(code === 'EADDRINUSE' ? 'The port is in use. Give another one with --port, or stop what listens there.' : `${message}`.split('\n')[0]);
  if (String(code).startsWith('ERR_PARSE_ARGS')) console.error(`Usage: ${USAGE}`);
  process.exit(1);
});
